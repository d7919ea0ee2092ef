//! Does Berth slow down as its Postgres fills? Lists, pulls, pushes and a collection beside millions of tags.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::bench::{Bench, say};
use crate::engine;
use crate::figure::{Line, Table, percentile};
use crate::load;
use crate::made_up::{MadeUp, count_untagged};
use crate::row::image::push_for;
use crate::server::{Server, pause};
use crate::shared;

const FEW: u64 = 10_000;
const CLIENTS: usize = 16;
/// Clients that push before and during the collection.
const PUSHING: usize = 4;
/// The collection is left to itself when it takes longer.
const PATIENCE: Duration = Duration::from_mins(2);

/// A node on a catalog that was filled.
struct Filled {
    column: String,
    url: String,
    made_up: MadeUp,
    server: Server,
}

/// Fills two databases, a small and a large one, and measures both in turn; then collects in the large one.
pub(crate) fn run(bench: &Bench) -> Result<Table> {
    let postgres = engine::postgres(&[])?;
    let untagged = if bench.quick { 1_000 } else { 10_000 };
    let few = fill(bench, &engine::database(&postgres)?, FEW, 0)?;
    let start = Instant::now();
    let many = fill(bench, &engine::database(&postgres)?, bench.tags, untagged)?;
    let seconds = start.elapsed().as_secs_f64();
    let bytes: f64 = engine::query(&many.url, "SELECT pg_database_size(current_database())")?.parse()?;
    let collecting = format!("{}, collecting", many.column);
    let columns = [few.column.clone(), many.column.clone(), collecting.clone()];
    let mut lines = [
        Line::cost("`tags/list?n=100` of the big repository, p50", "ms"),
        Line::cost("… p99", "ms"),
        Line::rate("manifest GET by one of all tags, 16 connections", "1/s"),
        Line::cost("… p99", "ms"),
        Line::rate("image push, 16 clients", "1/s"),
        Line::cost("… p50", "ms"),
        Line::cost("… p99", "ms"),
        Line::cost("image push, 4 clients, p50", "ms"),
        Line::cost("… p99", "ms"),
        Line::rate("manifests collected", "1/s"),
    ];
    let filled = [few, many];
    for _ in 0..bench.runs() {
        for one in &filled {
            measure(bench, one, &mut lines)?;
        }
    }
    let [few, many] = filled;
    few.server.stop();
    let (times, collected, took) = collect(bench, &many)?;
    lines[7].add(&collecting, percentile(&times, 50.0));
    lines[8].add(&collecting, percentile(&times, 99.0));
    lines[9].add(&collecting, collected as f64 / took);
    let note = format!(
        "One node on Postgres. A tenth of the tags are in one repository, the others a hundred to a repository, ten to a manifest, \
         written straight into the tables: {} tags with their manifests and blobs take {:.2} GB, and {seconds:.0} s to load with \
         vacuum and statistics. Images as in \"Small images\". The collection took {collected} of {untagged} untagged manifests \
         in {took:.0} s.",
        bench.tags,
        bytes / 1e9
    );
    let mut table = Table::states("Tags in Postgres", note, &columns);
    table.lines.extend(lines);
    many.server.stop();
    Ok(table)
}

fn fill(bench: &Bench, url: &str, tags: u64, untagged: u64) -> Result<Filled> {
    let column = format!("{tags} tags");
    let made_up = MadeUp::new(tags, untagged)?;
    // The node makes the tables, and waits until they are full.
    let server = shared::berth(&bench.roster, &column, url, None)?;
    say(&format!("tags: loading {tags}"));
    made_up.load(url)?;
    Ok(Filled { column, url: url.to_owned(), made_up, server })
}

fn measure(bench: &Bench, filled: &Filled, lines: &mut [Line; 10]) -> Result<()> {
    let Filled { column, made_up, server, .. } = filled;
    say(&format!("tags: {column}"));
    let (address, duration) = (server.address, bench.duration());
    let pages = load::requests(address, "GET", 1, duration, &|random| made_up.some_page(random))?;
    lines[0].add(column, pages.p50);
    lines[1].add(column, pages.p99);
    let pulls = load::requests(address, "GET", CLIENTS, duration, &|random| made_up.some_manifest(random))?;
    lines[2].add(column, pulls.rate);
    lines[3].add(column, pulls.p99);
    let (times, seconds) = push_for(server, CLIENTS, duration)?;
    lines[4].add(column, times.len() as f64 / seconds);
    lines[5].add(column, percentile(&times, 50.0));
    lines[6].add(column, percentile(&times, 99.0));
    let (times, _) = push_for(server, PUSHING, duration)?;
    lines[7].add(column, percentile(&times, 50.0));
    lines[8].add(column, percentile(&times, 99.0));
    Ok(())
}

/// The milliseconds of pushes during a collection, the manifests that it took, and its seconds.
fn collect(bench: &Bench, filled: &Filled) -> Result<(Vec<f64>, u64, f64)> {
    say("tags: collection beside pushes");
    let before = count_untagged(&filled.url)?;
    let start = Instant::now();
    let mut command = start_collection(bench, &filled.server)?;
    let mut times = Vec::new();
    let mut end = None;
    while end.is_none() && start.elapsed() < PATIENCE {
        times.extend(push_for(&filled.server, PUSHING, Duration::from_millis(500))?.0);
        end = command.try_wait()?;
    }
    let seconds = start.elapsed().as_secs_f64();
    if end.is_none() {
        // The node goes on with it; nobody waits for its end any more.
        command.kill()?;
    }
    let output = command.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(end.is_none() || output.status.success(), "berth gc: {said}");
    Ok((times, before - count_untagged(&filled.url)?, seconds))
}

fn start_collection(bench: &Bench, server: &Server) -> Result<Child> {
    let program = bench.roster.berth.as_ref().context("Berth is not built")?;
    let directory = server.directory.as_ref().context("a started server has a directory")?;
    // It takes what has waited for a minute: the pushes beside it stay.
    let command = Command::new(program)
        .args(["gc", "--now", "--delay", "1m", "--config"])
        .arg(directory.join("configuration.yaml"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    pause(Duration::from_millis(100));
    command.context("starting berth gc")
}
