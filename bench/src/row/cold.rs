//! Blobs that only the disk holds, and what their pull does to everybody else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Result;

use crate::bench::{Bench, clients, push_image, say};
use crate::content::Content;
use crate::figure::{Against, Line, Table, at_most, percentile};
use crate::limit;
use crate::machine;
use crate::registry::Registry;
use crate::roster::NGINX;
use crate::row::blob::offer;
use crate::server::{Server, pause};

/// Pulls 1 GiB from disk while another client asks for a manifest again and again.
pub(crate) fn run(bench: &Bench) -> Result<Table> {
    let mut table = bench.table("Blob, cold", "", &[NGINX]);
    let content = Content::fresh(if bench.quick { 256 << 20 } else { 1 << 30 });
    let mut rate = Line::rate(format!("{} MiB from disk, 1 connection", content.size >> 20), "MB/s");
    let mut p99 = Line::cost("… p99 of a manifest GET meanwhile", "ms").goal(at_most(20.0, Against::Nothing));
    let mut servers = bench.roster.start()?;
    servers.extend(limit::nginx(&bench.roster, None)?);
    let mut how = "";
    for server in &servers {
        let target = offer(server, &content)?;
        let is_registry = server.name != NGINX;
        if is_registry {
            push_image(server, "bench/manifest", "latest", &Content::fresh(10_000))?;
        }
        for _ in 0..bench.runs() {
            say(&format!("cold pull, {}", server.name));
            how = machine::drop_page_cache(&bench.roster.directory)?;
            let (seconds, times) = pull(server, &target, is_registry)?;
            rate.add(&server.name, content.size as f64 / 1e6 / seconds);
            if is_registry {
                p99.add(&server.name, percentile(&times, 99.0));
            }
        }
    }
    servers.into_iter().for_each(Server::stop);
    table.note(format!("The page cache is emptied before each pull with {how}."));
    table.lines.extend([rate, p99]);
    Ok(table)
}

/// Seconds of the pull and milliseconds of each manifest request beside it.
fn pull(server: &Server, target: &str, with_probe: bool) -> Result<(f64, Vec<f64>)> {
    let done = AtomicBool::new(false);
    let (results, _) = clients(2, |role| {
        let mut registry = Registry::new(server.address);
        let start = Instant::now();
        if role == 0 {
            let pulled = registry.pull_blob(target);
            done.store(true, Ordering::Release);
            pulled?;
            return Ok((start.elapsed().as_secs_f64(), Vec::new()));
        }
        let mut times = Vec::new();
        while with_probe && !done.load(Ordering::Acquire) {
            let start = Instant::now();
            registry.get("/v2/bench/manifest/manifests/latest")?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
            pause(std::time::Duration::from_millis(1));
        }
        Ok((0.0, times))
    })?;
    let seconds = results[0].0;
    Ok((seconds, results.into_iter().flat_map(|(_, times)| times).collect()))
}
