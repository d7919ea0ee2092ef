//! From one data directory to Postgres and a bucket while serving: what was acknowledged is there, however often it is killed.

mod made_up;

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use berth_engines::Postgres;
use serde_json::Value;

use crate::backup::{pull_image, push_image, scaled};
use crate::harness::{Api, Home, Outcome, Random, Server, Setup, berth, is_outage, number_from_environment};

/// Where a registry is to move.
struct Goal {
    home: Home,
    database: String,
    yaml: String,
    config: String,
}

impl Goal {
    fn new() -> Result<Self> {
        let home = Home::new()?;
        let database = Postgres::shared().database();
        let yaml = scaled(&home, &database)?;
        let config = home.write("scaled.yaml", &yaml)?.display().to_string();
        Ok(Self { home, database, yaml, config })
    }

    async fn serve(&self) -> Result<Server> {
        Setup::default().with_config(&self.yaml).start().await
    }

    fn arguments<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [&["migrate", "--to", &self.config], more].concat()
    }

    /// Runs a migration that must succeed.
    async fn migrate(&self, from: &Server, more: &[&str]) -> Result<String> {
        from.succeeds(&self.arguments(more)).await
    }

    /// Runs a migration and kills it after a while; returns whether it had ended well before.
    async fn kill_after(&self, from: &Server, more: &[&str], time: Duration) -> Result<bool> {
        let data = from.data_dir().display().to_string();
        let mut command = self.home.command(&berth()?.display().to_string());
        command.args(self.arguments(more)).args(["--data-dir", &data]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        if let Ok(status) = tokio::time::timeout(time, child.wait()).await {
            return Ok(status?.success());
        }
        child.kill().await?;
        Ok(false)
    }
}

/// What somebody pushed and was told to be safe: image by tag.
type Acknowledged = Vec<(String, String)>;

/// Pushes, moves and deletes tags until it is refused or told to stop. Outages are waited out.
async fn churn(server: &Api, prefix: u64, stop: &AtomicBool) -> Result<Acknowledged> {
    let mut taken: Acknowledged = Vec::new();
    for seed in prefix.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let tag = format!("v{seed}");
        match push_image(server, "moving/app", &tag, seed).await {
            Ok(digest) => taken.push((tag, digest)),
            Err(error) if is_outage(&error) || says(&error, "read-only for now") => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            Err(error) if says(&error, "has moved") => break,
            Err(error) => return Err(error),
        }
        // One that goes again, and one that moves: both must be known on the other side.
        if seed % 5 == 0
            && let Some((_, digest)) = taken.pop()
        {
            // Maybe gone, maybe not, if nobody says so: nothing is expected of it then.
            let path = format!("/v2/moving/app/manifests/{digest}");
            drop(server.delete(&path).await);
        }
    }
    Ok(taken)
}

/// Every push is refused, and soon it is said why.
async fn refused_for_good(api: &Api) -> Result<()> {
    let begin = Instant::now();
    loop {
        match push_image(api, "moving/app", "late", 900_000).await {
            Ok(_) => bail!("a push was taken behind the switch"),
            Err(error) if says(&error, "has moved") => return Ok(()),
            Err(error) => ensure!(begin.elapsed() < Duration::from_secs(2), "badly refused: {error:#}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn says(error: &anyhow::Error, text: &str) -> bool {
    format!("{error:#}").contains(text)
}

/// Every table as a backup of each side has it: rows as text, in order.
async fn tables(server: &Server, archive: &str) -> Result<Vec<(String, Vec<String>)>> {
    server.succeeds(&["backup", archive]).await?;
    let mut points = std::fs::read_dir(Path::new(archive).join("points"))?;
    let point = points.find_map(Result::ok).context("no point")?.path();
    let mut tables = Vec::new();
    for entry in std::fs::read_dir(point)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            let text = std::fs::read_to_string(&path)?;
            let mut rows: Vec<String> = text.lines().map(sorted).collect::<Result<_>>()?;
            rows.sort();
            tables.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), rows));
        }
    }
    tables.sort();
    Ok(tables)
}

/// A row whose lists, which have no order, are in one.
fn sorted(line: &str) -> Result<String> {
    let mut row: Value = serde_json::from_str(line)?;
    for list in ["blobs", "missing", "children"] {
        if let Some(items) = row.get_mut(list).and_then(Value::as_array_mut) {
            items.sort_by_key(ToString::to_string);
        }
    }
    Ok(row.to_string())
}

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
    check(&goal, &old, &images).await
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
