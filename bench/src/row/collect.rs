//! Garbage collection while pushes run: what it costs those who push.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::bench::{Bench, clients, say};
use crate::content::Content;
use crate::figure::{Against, Line, Table, at_most, percentile};
use crate::registry::Registry;
use crate::roster::BERTH;
use crate::row::image::push_for;
use crate::server::Server;

const CLIENTS: usize = 4;
const BEFORE: &str = "before";
const DURING: &str = "during the collection";

/// Collects blobs that no manifest names while small images are pushed.
pub(crate) fn run(bench: &Bench) -> Result<Table> {
    let blobs = if bench.quick { 5_000 } else { 100_000 };
    let note = format!(
        "Berth alone: {blobs} blobs of 20 KiB (files) that no manifest names, 4 clients push small images."
    );
    let columns = [BEFORE.to_owned(), DURING.to_owned()];
    let mut table = Table::states("Collection beside pushes", note, &columns);
    let mut server = bench.roster.start_one(BERTH)?;
    say(&format!("collection: pushing {blobs} blobs"));
    fill(&server, blobs)?;
    say("collection: pushes before");
    let (before, _) = push_for(&server, CLIENTS, Duration::from_secs(if bench.quick { 3 } else { 10 }))?;
    say("collection: pushes during");
    let (during, seconds) = collect(bench, &server)?;
    let mut p99 = Line::cost("image push, p99", "ms");
    p99.add(BEFORE, percentile(&before, 99.0));
    p99.add(DURING, percentile(&during, 99.0));
    let mut p50 = Line::cost("image push, median", "ms");
    p50.add(BEFORE, percentile(&before, 50.0));
    p50.add(DURING, percentile(&during, 50.0));
    let mut ratio = Line::cost("p99 during ÷ before", "").goal(at_most(2.0, Against::Nothing));
    ratio.add(DURING, percentile(&during, 99.0) / percentile(&before, 99.0));
    let mut rate = Line::rate("blobs collected", "1/s");
    rate.add(DURING, f64::from(blobs) / seconds);
    table.lines.extend([p50, p99, ratio, rate]);
    server.end();
    server.stop();
    Ok(table)
}

fn fill(server: &Server, blobs: u32) -> Result<()> {
    let counter = AtomicUsize::new(0);
    clients(16, |index| {
        let mut registry = Registry::new(server.address);
        while counter.fetch_add(1, Ordering::Relaxed) < blobs as usize {
            registry.post_blob(&format!("bench/garbage{index}"), &Content::fresh(20 << 10))?;
        }
        Ok(())
    })?;
    Ok(())
}

/// The milliseconds of the pushes while `berth gc` ran, and how long it ran.
fn collect(bench: &Bench, server: &Server) -> Result<(Vec<f64>, f64)> {
    let program = bench.roster.berth.as_ref().context("Berth is not built")?;
    let data = server.directory.as_ref().context("a started server has a directory")?.join("data");
    let done = AtomicBool::new(false);
    let (results, _) = clients(2, |role| {
        if role == 0 {
            let start = Instant::now();
            let output = Command::new(program)
                .args(["gc", "--now", "--delay", "0s", "--data-dir"])
                .arg(&data)
                .output();
            done.store(true, Ordering::Release);
            let output = output.context("running berth gc")?;
            ensure!(output.status.success(), "berth gc: {}", String::from_utf8_lossy(&output.stderr));
            return Ok((Vec::new(), start.elapsed().as_secs_f64()));
        }
        let mut times = Vec::new();
        while !done.load(Ordering::Acquire) {
            times.extend(push_for(server, CLIENTS, Duration::from_millis(250))?.0);
        }
        Ok((times, 0.0))
    })?;
    let seconds = results[0].1;
    Ok((results.into_iter().flat_map(|(times, _)| times).collect(), seconds))
}
