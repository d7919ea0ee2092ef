//! Durable pushes of large blobs.

use anyhow::Result;

use crate::bench::{Bench, clients, say};
use crate::content::Content;
use crate::figure::{Against, Goal, Line, Table, at_least, at_most};
use crate::limit;
use crate::registry::Registry;
use crate::roster::DISTRIBUTION;
use crate::server::Server;

const CHUNK_BYTES: u64 = 16 << 20;
const SHA256: &str = "SHA-256, one core";
const DISK: &str = "disk, one writer";

/// One way to push, and how many times faster than distribution it should be.
struct Way {
    what: &'static str,
    size: u64,
    clients: usize,
    chunked: bool,
    factor: f64,
}

/// Measures single blobs, chunks and parallel pushes.
pub(crate) fn run(bench: &Bench) -> Result<Table> {
    let note = "Every blob is new. Berth answers when data, name and directory are synced; the peers sync the data but not the \
                directory of the name.";
    let mut table = bench.table("Pushes", note, &[SHA256, DISK]);
    let gigabyte = if bench.quick { 512 << 20 } else { 1 << 30 };
    let ways = [
        Way { what: "256 MiB, POST + PUT", size: 256 << 20, clients: 1, chunked: false, factor: 2.0 },
        Way {
            what: if bench.quick { "512 MiB, POST + PUT" } else { "1 GiB, POST + PUT" },
            size: gigabyte,
            clients: 1,
            chunked: false,
            factor: 2.0,
        },
        Way { what: "256 MiB in 16 MiB chunks", size: 256 << 20, clients: 1, chunked: true, factor: 3.0 },
        Way { what: "32 × 32 MiB in parallel", size: 32 << 20, clients: 32, chunked: false, factor: 1.8 },
    ];
    for way in &ways {
        measure(bench, way, &mut table)?;
    }
    Ok(table)
}

fn measure(bench: &Bench, way: &Way, table: &mut Table) -> Result<()> {
    let goal: Goal = at_least(way.factor, Against::Column(DISTRIBUTION));
    let mut rate = Line::rate(way.what, "MB/s").goal(goal);
    let mut cost = Line::cost("… server CPU", "s/GB").goal(at_most(1.3, Against::Nothing));
    let bytes = (way.size * way.clients as u64) as f64;
    let servers = bench.roster.start()?;
    for _ in 0..bench.runs() {
        for server in &servers {
            say(&format!("push {}, {}", way.what, server.name));
            let blobs: Vec<Content> = (0..way.clients).map(|_| Content::fresh(way.size)).collect();
            // What the run before left dirty must not be written during this one.
            rustix::fs::sync();
            let before = server.cpu_seconds()?;
            let (_, seconds) = clients(way.clients, |index| push(server, &blobs[index], way.chunked))?;
            rate.add(&server.name, bytes / 1e6 / seconds);
            cost.add(&server.name, (server.cpu_seconds()? - before) / (bytes / 1e9));
        }
        rate.add(SHA256, limit::sha256_rate());
        rate.add(DISK, limit::disk_rate(&bench.roster.directory, 256 << 20)?);
    }
    servers.into_iter().for_each(Server::stop);
    table.lines.extend([rate, cost]);
    Ok(())
}

fn push(server: &Server, content: &Content, chunked: bool) -> Result<()> {
    let mut registry = Registry::new(server.address);
    if chunked {
        registry.push_chunks("bench/push", content, CHUNK_BYTES)
    } else {
        registry.push_blob("bench/push", content)
    }
}
