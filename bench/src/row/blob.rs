//! Blobs that the page cache holds: what a busy registry serves.

use std::fs::File;
use std::io::Write as _;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::bench::{Bench, clients, push_image, say};
use crate::content::Content;
use crate::figure::{Against, Goal, Line, Table, at_least, at_most};
use crate::limit;
use crate::load;
use crate::registry::Registry;
use crate::roster::NGINX;
use crate::server::Server;

const SIZES: [(&str, u64); 3] = [("10 KiB", 10 << 10), ("1 MiB", 1 << 20), ("256 MiB", 256 << 20)];

/// Measures three sizes at 1, 4 and 32 connections.
pub(crate) fn run(bench: &Bench) -> Result<Table> {
    let note = "From the page cache. The client drops what it receives inside the kernel, so that its own copy bounds nothing; \
                CPU is the server's alone.";
    let mut table = bench.table("Blobs, warm", note, &[NGINX]);
    let mut servers = bench.roster.start()?;
    servers.extend(limit::nginx(&bench.roster, None)?);
    for (label, size) in SIZES {
        let content = Content::fresh(size);
        let targets: Vec<String> =
            servers.iter().map(|server| offer(server, &content)).collect::<Result<_>>()?;
        for connections in [1, 4, 32] {
            let what =
                format!("{label}, {connections} connection{}", if connections == 1 { "" } else { "s" });
            say(&format!("blob {what}"));
            let mut rate = Line::rate(&what, "MB/s");
            let mut cost = Line::cost("… server CPU", "s/GB");
            if let Some((rate_goal, cost_goal)) = goals(size, connections) {
                rate = rate.goal(rate_goal);
                cost = cost.goals(cost_goal.as_slice());
            }
            for _ in 0..bench.runs() {
                for (server, target) in servers.iter().zip(&targets) {
                    let (bytes, seconds, cpu) = pull(bench, server, target, size, connections)?;
                    rate.add(&server.name, bytes / 1e6 / seconds);
                    cost.add(&server.name, cpu / (bytes / 1e9));
                }
            }
            table.lines.extend([rate, cost]);
        }
    }
    servers.into_iter().for_each(Server::stop);
    Ok(table)
}

fn goals(size: u64, connections: usize) -> Option<(Goal, Option<Goal>)> {
    match (size, connections) {
        (10_240, 1) => None,
        (10_240, _) => Some((at_least(0.5, Against::Column(NGINX)), None)),
        _ => Some((at_least(1.3, Against::BestPeer), Some(at_most(0.6, Against::BestPeer)))),
    }
}

/// Puts a blob where a server will serve it; the answer is its path.
pub(crate) fn offer(server: &Server, content: &Content) -> Result<String> {
    if !server.name.starts_with(NGINX) {
        push_image(server, "bench/blob", "latest", content)?;
        return Ok(format!("/v2/bench/blob/blobs/{}", content.digest));
    }
    let name = content.digest.replace(':', "-");
    let directory = server.directory.as_ref().context("nginx has no directory")?;
    let mut file = File::create(directory.join("files").join(&name))?;
    content.write(0..content.size, |part| file.write_all(part))?;
    file.sync_all()?;
    Ok(format!("/{name}"))
}

fn pull(
    bench: &Bench,
    server: &Server,
    target: &str,
    size: u64,
    connections: usize,
) -> Result<(f64, f64, f64)> {
    let before = server.cpu_seconds()?;
    if size < 100_000 {
        let start = Instant::now();
        let load = load::wrk(server.address, target, connections, bench.seconds())?;
        let seconds = start.elapsed().as_secs_f64();
        let cpu = server.cpu_seconds()? - before;
        return Ok((load.rate * size as f64 * seconds, seconds, cpu));
    }
    let end = Instant::now() + bench.duration();
    let (pulled, seconds) = clients(connections, |_| {
        let mut registry = Registry::new(server.address);
        let mut bytes = 0;
        while Instant::now() < end {
            bytes += registry.pull_blob(target)?;
        }
        Ok(bytes)
    })?;
    Ok((pulled.iter().sum::<u64>() as f64, seconds, server.cpu_seconds()? - before))
}
