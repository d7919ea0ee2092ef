//! Small images: what a build farm pushes all day, bound by syncs and round trips.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::bench::{Bench, clients, say};
use crate::content::{Content, manifest};
use crate::figure::{Against, Line, Table, at_least, at_most};
use crate::limit;
use crate::load::count_syncs;
use crate::registry::Registry;
use crate::roster::DISTRIBUTION;
use crate::server::Server;

const CLIENTS: usize = 16;
const BLOB_BYTES: u64 = 10 << 10;
const SYNC: &str = "fdatasync, one writer";

/// Measures images per second and the system calls that make each durable.
pub(crate) fn run(bench: &Bench) -> Result<Table> {
    let note = "One configuration and three layers of 10 KiB (POST + PUT each) and a manifest, 16 clients. The syncs are counted by \
                `strace` in a run of their own.";
    let mut table = bench.table("Small images", note, &[SYNC]);
    let mut rate =
        Line::rate("images, 16 clients", "1/s").goal(at_least(10.0, Against::Column(DISTRIBUTION)));
    let mut syncs = Line::cost("fsync + fdatasync for each image", "").goal(at_most(2.0, Against::Nothing));
    let servers = bench.roster.start()?;
    for _ in 0..bench.runs() {
        for server in &servers {
            say(&format!("small images, {}", server.name));
            let (times, seconds) = push_for(server, CLIENTS, bench.duration())?;
            rate.add(&server.name, times.len() as f64 / seconds);
        }
        rate.add(SYNC, 1e3 / limit::sync_milliseconds(&bench.roster.directory)?);
    }
    for server in &servers {
        say(&format!("syncs of small images, {}", server.name));
        let mut images = 0;
        let calls = count_syncs(server.pid, &bench.roster.directory, || {
            images = push_for(server, CLIENTS, bench.duration())?.0.len();
            Ok(())
        })?;
        syncs.add(&server.name, calls / images as f64);
    }
    servers.into_iter().for_each(Server::stop);
    table.lines.extend([rate, syncs]);
    Ok(table)
}

/// Pushes small images until the time is over; the answer is the milliseconds that each took, and all seconds.
pub(crate) fn push_for(server: &Server, count: usize, duration: Duration) -> Result<(Vec<f64>, f64)> {
    push_sized_for(server, count, duration, BLOB_BYTES)
}

/// Pushes images of blobs of some size until the time is over, each client to a repository of its own.
pub(crate) fn push_sized_for(
    server: &Server,
    count: usize,
    duration: Duration,
    blob_bytes: u64,
) -> Result<(Vec<f64>, f64)> {
    let end = Instant::now() + duration;
    let (times, seconds) = clients(count, |index| {
        let mut registry = Registry::new(server.address);
        let repository = format!("bench/small{index}");
        let mut times = Vec::new();
        while Instant::now() < end {
            let tag = format!("t{}", times.len());
            times.push(push_one(&mut registry, &repository, &tag, blob_bytes)?);
        }
        Ok(times)
    })?;
    Ok((times.concat(), seconds))
}

fn push_one(registry: &mut Registry, repository: &str, tag: &str, blob_bytes: u64) -> Result<f64> {
    let config = Content::fresh(blob_bytes);
    let layers: Vec<Content> = (0..3).map(|_| Content::fresh(blob_bytes)).collect();
    let (bytes, _) = manifest(&config, &layers);
    let start = Instant::now();
    for blob in layers.iter().chain([&config]) {
        registry.push_blob(repository, blob)?;
    }
    registry.push_manifest(repository, tag, &bytes)?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}
