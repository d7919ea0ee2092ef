//! A move of more rows than anybody pushes in a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use super::beside::churn;
use super::goal::Goal;
use super::made_up;
use crate::backup::{pull_image, push_image};
use crate::harness::{Server, number_from_environment};

/// The switch takes as long as the last changes do, not as long as the catalog is. `BERTH_IMAGES` says how many there are.
#[tokio::test]
async fn a_large_catalog_rests_for_a_moment_only() -> Result<()> {
    let images = number_from_environment("BERTH_IMAGES", 20_000)?;
    let goal = Goal::new()?;
    let mut old = Server::open().await?;
    push_image(&old.api()?, "moving/app", "v0", 0).await?;
    old.stop().await?;
    made_up::fill(old.data_dir(), images)?;
    old.start().await?;
    let begun = Instant::now();
    let first = goal.migrate(&old, &[]).await?;
    println!("{images} images, the bulk: {:.1} s, {first}", begun.elapsed().as_secs_f64());
    ensure!(rows(&first)? > images * 8, "{first}");
    // Rows of every kind change before the switch, and during it.
    let stop = Arc::new(AtomicBool::new(false));
    let api = old.api()?;
    let pushing = churn(&api, 1, &stop);
    let switching = async {
        let begun = Instant::now();
        let switched = goal.migrate(&old, &["--switch"]).await;
        println!("the switch in all: {:.1} s", begun.elapsed().as_secs_f64());
        stop.store(true, Ordering::Relaxed);
        switched
    };
    let (pushed, switched) = tokio::join!(pushing, switching);
    let (pushed, switched) = (pushed?, switched?);
    println!("{} pushed meanwhile: {switched}", pushed.len());
    let (_, rested) =
        switched.split_once("pushes rested for ").context("it does not say how long pushes rested")?;
    let rested: f64 = rested.split(' ').next().context("no number")?.parse()?;
    ensure!(rested < 10.0, "pushes rested for {rested} s");
    let new = goal.serve().await?;
    let api = new.api()?;
    for image in [0, images / 2, images - 1] {
        pull_image(&api, &made_up::name(i64::try_from(image)?), &format!("t{:07}", image % 1000)).await?;
    }
    for (tag, digest) in &pushed {
        ensure!(pull_image(&api, "moving/app", tag).await? == *digest, "{tag} changed");
    }
    push_image(&api, "moving/app", "late", 900_000).await?;
    Ok(())
}

/// Number of rows that were compared.
fn rows(text: &str) -> Result<u64> {
    let (before, _) = text.split_once(" rows compared").with_context(|| format!("no rows in {text}"))?;
    Ok(before.lines().next_back().context("no number")?.trim().parse()?)
}
