//! A client that others wrote: crane pushes an image under one tag after the other, and validates what it pulls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;

use crate::harness::{Home, Images};

/// What became of its rounds.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    pub(super) good: u64,
    /// What it said when it gave up.
    pub(super) failures: Vec<String>,
}

/// Failed rounds after which it gives up, once the time is over.
const ENOUGH: usize = 5;

/// Works until the time is over.
pub(super) async fn work(host: String, over: Arc<AtomicBool>) -> Result<Rounds> {
    let home = Home::new()?;
    let images = Images::build(home.path())?;
    let layout = home.file("own");
    home.run("skopeo", &["copy", "-q", &images.oci(&images.image), &format!("oci:{layout}:image")]).await?;
    let mut rounds = Rounds::default();
    for number in 1_u64.. {
        // One good round in peace shows that it can.
        let after = rounds.good > 0 || rounds.failures.len() > ENOUGH;
        if over.load(Ordering::SeqCst) && after {
            break;
        }
        // A repository of its own each time, so that it has layers to push.
        let reference = format!("{host}/real/image-{number}:1");
        let mut outcome = home.outcome("crane", &["push", &layout, &reference]).await?;
        if outcome.success {
            outcome = home.outcome("crane", &["validate", "--remote", &reference]).await?;
        }
        if outcome.success {
            rounds.good += 1;
        } else {
            rounds.failures.push(outcome.text());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(rounds)
}
