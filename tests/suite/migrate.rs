//! From one data directory to Postgres and a bucket while serving: what was acknowledged is there, however often it is killed.

mod beside;
mod goal;
mod large;
mod made_up;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use berth_engines::Postgres;

use self::beside::{Acknowledged, churn, refused_for_good, tables};
use self::goal::Goal;
use crate::backup::{files, pull_image, push_image};
use crate::harness::{Api, Outcome, Random, Server, Setup, berth, content, digest_of, expect};

/// Everything that is on the old side is on the new one, and the old one takes nothing any more.
async fn check(goal: &Goal, old: &Server, images: &Acknowledged) -> Result<()> {
    let api = old.api()?;
    refused_for_good(&api).await?;
    pull_image(&api, "moving/app", &images[0].0).await?;
    let log = old.events().await?;
    let before = tables(old, &goal.home.file("old")).await?;
    let new = goal.serve().await?;
    ensure!(new.events().await? == log, "the log is another");
    let after = tables(&new, &goal.home.file("new")).await?;
    for ((name, here), (other, there)) in before.iter().zip(&after) {
        ensure!(name == other && here == there, "{name} differs: {} rows, {}", here.len(), there.len());
    }
    ensure!(before.len() == after.len() && before.len() >= 7, "{} tables", before.len());
    let api = new.api()?;
    for (tag, digest) in images {
        ensure!(pull_image(&api, "moving/app", tag).await? == *digest, "{tag} changed");
    }
    push_image(&api, "moving/app", "late", 900_000).await?;
    pull_image(&api, "moving/app", "late").await?;
    new.collect().await?;
    new.verify().await?;
    let again = old.berth(&goal.arguments(&["--switch"])).await?;
    ensure!(again.success && again.stdout.contains("already"), "{}", again.text());
    Ok(())
}

fn ended(outcome: &Outcome, wanted: &str) -> Result<()> {
    ensure!(
        !outcome.success && outcome.text().contains(wanted),
        "not refused with {wanted:?}: {}",
        outcome.text()
    );
    Ok(())
}

#[tokio::test]
async fn moves_while_serving_with_a_short_switch() -> Result<()> {
    let goal = Goal::new()?;
    let old = Server::open().await?;
    let api = old.api()?;
    let mut images = Acknowledged::new();
    for seed in 1..8 {
        images.push((format!("v{seed}"), push_image(&api, "moving/app", &format!("v{seed}"), seed).await?));
    }
    let status = old.succeeds(&["migrate", "status"]).await?;
    ensure!(status.contains("no migration is under way"), "{status}");
    let text = goal.migrate(&old, &[]).await?;
    ensure!(text.contains("the same on both sides") && text.contains("--switch"), "{text}");
    let status = old.succeeds(&["migrate", "status"]).await?;
    ensure!(
        status.contains("moving to postgres://") && status.contains("waiting for the switch"),
        "{status}"
    );
    // Nobody serves what has not arrived.
    let early =
        goal.home.outcome(&berth()?.display().to_string(), &["serve", "--config", &goal.config]).await?;
    ended(&early, "has not arrived")?;

    let stop = Arc::new(AtomicBool::new(false));
    let pushing = churn(&api, 1001, &stop);
    let pulling = async {
        let mut pulls = 0;
        while !stop.load(Ordering::Relaxed) {
            pull_image(&api, "moving/app", "v1").await?;
            pulls += 1;
        }
        anyhow::Ok(pulls)
    };
    let switching = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let switched = goal.migrate(&old, &["--switch"]).await;
        stop.store(true, Ordering::Relaxed);
        switched
    };
    let (pushed, pulls, switched) = tokio::join!(pushing, pulling, switching);
    let (pushed, pulls, switched) = (pushed?, pulls?, switched?);
    println!("{} pushed, {pulls} pulls beside it: {switched}", pushed.len());
    ensure!(switched.contains("pushes rested for") && switched.contains("start the new nodes"), "{switched}");
    ensure!(pushed.len() > 2 && pulls > 2, "nothing happened beside the move");
    images.extend(pushed);
    let status = old.succeeds(&["migrate", "status"]).await?;
    ensure!(status.contains("has moved to postgres://"), "{status}");
    ended(&old.berth(&["read-only", "off"]).await?, "has moved")?;
    ended(&goal_cancel(&goal, &old).await?, "has moved")?;
    check(&goal, &old, &images).await?;
    trail_came_along(&goal, old).await
}

/// Every record of the old side is on the new one, first as it was; what the old nodes recorded since comes behind that.
async fn trail_came_along(goal: &Goal, mut old: Server) -> Result<()> {
    old.stop().await?;
    let data = old.data_dir().display().to_string();
    let program = berth()?.display().to_string();
    let again = [&goal.arguments(&["--switch"])[..], &["--data-dir", &data]].concat();
    for _ in 0..2 {
        goal.home.run(&program, &again).await?;
    }
    let export = async |place: &[&str]| {
        let text = goal.home.run(&program, &[&["audit", "export"], place].concat()).await?;
        let records: Vec<serde_json::Value> =
            text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        // That it was read here is on record here alone.
        let moved = records.iter().filter(|record| record["detail"]["command"] != "audit export");
        moved.map(|record| Ok(record["id"].as_str().context("no id")?.to_owned())).collect::<Result<Vec<_>>>()
    };
    let (here, there) = (export(&["--data-dir", &data]).await?, export(&["--config", &goal.config]).await?);
    let found: std::collections::HashSet<_> = there.iter().collect();
    ensure!(found.len() == there.len(), "a record is there twice");
    ensure!(there.len() > here.len() && here.len() > 20, "{} records, {}", here.len(), there.len());
    let lacking = here.iter().filter(|id| !found.contains(id)).count();
    ensure!(lacking == 0, "{lacking} of {} records are lacking", here.len());
    let verified = goal.home.run(&program, &["audit", "verify", "--config", &goal.config]).await?;
    ensure!(verified.ends_with("whole\n"), "{verified}");
    Ok(())
}

async fn goal_cancel(goal: &Goal, old: &Server) -> Result<Outcome> {
    old.berth(&["migrate", "cancel", "--to", &goal.config]).await
}

/// Kills of the command and of the server at random, again and again, with pushes going on through it.
#[tokio::test]
async fn goes_on_after_every_kill() -> Result<()> {
    let mut random = Random::from_environment()?;
    let goal = Goal::new()?;
    let port = berth_engines::free_port();
    let mut old = Setup::default().on_port(port).start().await?;
    let api = old.api()?;
    let stop = Arc::new(AtomicBool::new(false));
    let pushing = tokio::spawn({
        let (api, stop) = (old.api()?, Arc::clone(&stop));
        async move { churn(&api, 1, &stop).await }
    });
    let (mut kills, mut moved) = (0, false);
    while kills < 14 && !moved {
        let more: &[&str] = if kills % 3 == 2 { &["--switch"] } else { &[] };
        let time = Duration::from_millis(random.between(30, 1500));
        if kills % 4 == 3 {
            let command = goal.kill_after(&old, more, time);
            let ended = command.await?;
            moved = ended && !more.is_empty();
            old.kill()?;
            old.start().await?;
        } else {
            moved = goal.kill_after(&old, more, time).await? && !more.is_empty();
        }
        kills += 1;
        if !moved && !gone(&old).await? {
            // It goes on by itself at the latest when the rest of a switch that was killed has run out.
            wait_until_writable(&api).await?;
        }
    }
    let switched = goal.migrate(&old, &["--switch"]).await;
    stop.store(true, Ordering::Relaxed);
    let images = pushing.await??;
    println!("{kills} kills, {} images: {}", images.len(), switched?);
    check(&goal, &old, &images).await
}

async fn gone(old: &Server) -> Result<bool> {
    Ok(old.succeeds(&["migrate", "status"]).await?.contains("has moved to"))
}

async fn wait_until_writable(api: &Api) -> Result<()> {
    let begin = Instant::now();
    while api.start_upload("moving/probe").await.is_err() {
        ensure!(begin.elapsed() < Duration::from_secs(8), "the old registry does not go on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Right before the moment both sides are the same and the old one counts; right behind it the new one does, and opens later.
#[tokio::test]
async fn one_commit_makes_the_new_side_the_truth() -> Result<()> {
    let goal = Goal::new()?;
    let mut old = Server::open().await?;
    let mut images = Acknowledged::new();
    for seed in 1..4 {
        images.push((
            format!("v{seed}"),
            push_image(&old.api()?, "moving/app", &format!("v{seed}"), seed).await?,
        ));
    }
    // The new database refuses to say that it is ready: the last thing before the moment.
    goal.migrate(&old, &[]).await?;
    let refuse = |state: &str| {
        format!(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'killed here'; END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON moving FOR EACH ROW WHEN (NEW.state = '{state}') EXECUTE FUNCTION refuse()"
        )
    };
    let allow = "DROP TRIGGER refuse ON moving; DROP FUNCTION refuse()";
    Postgres::query(&goal.database, &refuse("ready"));
    ended(&old.berth(&goal.arguments(&["--switch"])).await?, "killed here")?;
    wait_until_writable(&old.api()?).await?;
    images.push(("v9".to_owned(), push_image(&old.api()?, "moving/app", "v9", 9).await?));
    Postgres::query(&goal.database, allow);

    // It refuses to open: the first thing behind the moment.
    Postgres::query(&goal.database, &refuse("open"));
    ended(&old.berth(&goal.arguments(&["--switch"])).await?, "killed here")?;
    let refused = push_image(&old.api()?, "moving/app", "late", 10).await;
    ensure!(refused.is_err(), "both sides could be written");
    ensure!(gone(&old).await?, "it has not moved");
    let early =
        goal.home.outcome(&berth()?.display().to_string(), &["serve", "--config", &goal.config]).await?;
    ended(&early, "has not arrived")?;
    Postgres::query(&goal.database, allow);
    // Another database is not what was left behind, and stays empty.
    let other = Goal::new()?;
    ended(&old.berth(&other.arguments(&["--switch"])).await?, "not to this database")?;
    old.kill()?;
    old.start().await?;
    let text = goal.migrate(&old, &["--switch"]).await?;
    ensure!(text.contains("moved to"), "{text}");
    check(&goal, &old, &images).await
}

#[tokio::test]
async fn damage_that_nobody_knew_of_holds_the_switch_up() -> Result<()> {
    let (goal, old) = (Goal::new()?, Server::open().await?);
    push_image(&old.api()?, "moving/app", "whole", 1).await?;
    push_image(&old.api()?, "moving/app", "broken", 2).await?;
    let lost = digest_of(&content(22, 300_000));
    let hex = lost.trim_start_matches("sha256:");
    let stored = files(&old.blobs_dir())?;
    let file = stored.iter().find(|path| path.to_string_lossy().contains(hex)).context("no such file")?;
    let mut bytes = std::fs::read(file)?;
    bytes[1000] ^= 1;
    std::fs::write(file, &bytes)?;
    ended(&old.berth(&goal.arguments(&[])).await?, &lost)?;
    ended(&old.berth(&goal.arguments(&["--switch"])).await?, "berth scrub")?;
    ensure!(!gone(&old).await?, "it has moved");
    // An import would be cut off.
    let dir = goal.home.file("other");
    ended(&old.berth(&["import", &dir]).await?, "is moving to")?;

    ended(&old.berth(&["scrub", "--bytes-per-second", "0"]).await?, "1 damaged")?;
    let switched = old.berth(&goal.arguments(&["--switch"])).await?;
    ended(&switched, &lost)?;
    ensure!(switched.stdout.contains("moved to"), "{}", switched.text());
    let new = goal.serve().await?;
    let api = new.api()?;
    pull_image(&api, "moving/app", "whole").await?;
    expect(api.get(&format!("/v2/moving/app/blobs/{lost}")).await?, 404).await?;
    push_image(&api, "moving/app", "broken", 2).await?;
    pull_image(&api, "moving/app", "broken").await?;
    Ok(())
}

#[tokio::test]
async fn a_target_of_somebody_else_is_refused_and_a_cancelled_move_leaves_nothing() -> Result<()> {
    let goal = Goal::new()?;
    let (one, two) = (Server::open().await?, Server::open().await?);
    push_image(&one.api()?, "moving/app", "v1", 1).await?;
    push_image(&two.api()?, "moving/app", "v1", 2).await?;
    goal.migrate(&one, &[]).await?;
    ended(&two.berth(&goal.arguments(&[])).await?, "another registry is moving")?;
    let status = two.succeeds(&["migrate", "status"]).await?;
    ensure!(status.contains("no migration is under way"), "{status}");
    let elsewhere = Goal::new()?;
    ended(&one.berth(&elsewhere.arguments(&[])).await?, "migrate cancel")?;

    // Cancelled with the database out of reach, the next one to it begins anew.
    one.succeeds(&["migrate", "cancel"]).await?;
    push_image(&one.api()?, "moving/app", "v2", 3).await?;
    goal.migrate(&one, &[]).await?;
    let cancelled = goal_cancel(&goal, &one).await?;
    ensure!(cancelled.success, "{}", cancelled.text());
    let left = Postgres::query(
        &goal.database,
        "SELECT COUNT(*) FROM (SELECT 1 FROM blob UNION ALL SELECT 1 FROM moving) AS rest",
    );
    ensure!(left.trim() == "0", "{left} rows were left");
    let indexes =
        Postgres::query(&goal.database, "SELECT COUNT(*) FROM pg_indexes WHERE indexname = 'tag_manifest'");
    ensure!(indexes.trim() == "1", "the indexes are gone");
    push_image(&one.api()?, "moving/app", "v3", 4).await?;
    goal.migrate(&one, &["--switch"]).await?;
    let new = goal.serve().await?;
    pull_image(&new.api()?, "moving/app", "v3").await?;
    // What has been served is somebody's.
    ended(&two.berth(&goal.arguments(&[])).await?, "holds a registry")?;
    Ok(())
}
