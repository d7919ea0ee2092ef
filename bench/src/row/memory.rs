//! Memory: of a server that waits, and of one that 256 clients pull from.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;

use crate::bench::{Bench, clients, say};
use crate::content::Content;
use crate::figure::{Against, Line, Table, at_most};
use crate::limit;
use crate::machine::resident_mib;
use crate::registry::Registry;
use crate::roster::NGINX;
use crate::row::blob::offer;
use crate::server::{Server, pause};

const CONNECTIONS: usize = 256;

/// Measures resident memory at rest and its peak under load.
pub(crate) fn run(bench: &Bench) -> Result<Table> {
    let note = "Resident set of the server's processes; the peak is sampled every 50 ms while 256 connections pull a blob of 64 MiB each.";
    let mut table = bench.table("Memory", note, &[NGINX]);
    let mut idle = Line::cost("idle, empty store", "MiB").goal(at_most(25.0, Against::Nothing));
    let mut busy = Line::cost("256 connections pulling, peak", "MiB").goal(at_most(150.0, Against::Nothing));
    let mut after = Line::cost("… 2 s later", "MiB");
    let mut servers = bench.roster.start()?;
    servers.extend(limit::nginx(&bench.roster, None)?);
    pause(Duration::from_secs(1));
    for server in &servers {
        idle.add(&server.name, resident_mib(server.pid)?);
    }
    let content = Content::fresh(64 << 20);
    for server in &servers {
        say(&format!("memory under load, {}", server.name));
        let target = offer(server, &content)?;
        busy.add(&server.name, peak(server, &target)?);
        pause(Duration::from_secs(2));
        after.add(&server.name, resident_mib(server.pid)?);
    }
    servers.into_iter().for_each(Server::stop);
    table.lines.extend([idle, busy, after]);
    Ok(table)
}

fn peak(server: &Server, target: &str) -> Result<f64> {
    let finished = AtomicUsize::new(0);
    let (peaks, _) = clients(CONNECTIONS + 1, |role| {
        if role > 0 {
            // One blob each is enough to have every connection in the middle of one at once.
            let pulled = Registry::new(server.address).pull_blob(target);
            finished.fetch_add(1, Ordering::Release);
            pulled?;
            return Ok(0.0);
        }
        let mut peak: f64 = 0.0;
        while finished.load(Ordering::Acquire) < CONNECTIONS {
            peak = peak.max(resident_mib(server.pid)?);
            pause(Duration::from_millis(50));
        }
        Ok(peak)
    })?;
    Ok(peaks.into_iter().fold(0.0, f64::max))
}
