//! Blobs in a bucket and the catalog in a Postgres, beside one machine's own disk, and beside a peer on the same bucket.

use anyhow::Result;

use crate::bench::{Bench, clients, push_image, say};
use crate::content::Content;
use crate::engine;
use crate::figure::{Line, Table};
use crate::load;
use crate::registry::Registry;
use crate::roster::{BERTH, DISTRIBUTION};
use crate::row::image::push_sized_for;
use crate::server::Server;
use crate::shared::{self, Bucket};

const DISK: &str = "Berth on SQLite and disk";
const CLIENTS: usize = 16;
const SMALL: [(&str, u64); 2] = [("10 KiB", 10 << 10), ("64 KiB", 64 << 10)];

/// Measures pushes and pulls, small and large.
pub(crate) fn run(bench: &Bench) -> Result<Table> {
    let bucket = Bucket::start()?;
    let postgres = engine::postgres(&[])?;
    let note = format!(
        "Berth on Postgres and {0}, distribution on the same (storage driver s3, path style), and Berth on one machine's own disk. \
         Redirects are off: all bytes go through the registry. Blobs up to 16 KiB lie in Berth's catalog, larger ones in the \
         bucket; its memory and no disk cache serve what is pulled again. CPU is the registry's alone; database and object store \
         share the same cores.",
        bucket.server
    );
    let mut peers = vec![BERTH.to_owned()];
    let mut servers =
        vec![shared::berth(&bench.roster, BERTH, &engine::database(&postgres)?, Some(&bucket))?];
    servers.push(bench.roster.start_configured(BERTH, DISK, |address, directory| {
        Ok(format!("data_dir: {}\nhttp:\n  listen: [\"{address}\"]\n", directory.join("data").display()))
    })?);
    if bench.roster.distribution.is_some() {
        peers.push(DISTRIBUTION.to_owned());
        servers.push(shared::distribution(&bench.roster, &bucket)?);
    }
    let mut table = Table::new("A bucket beside a disk", note, &peers, &[DISK]).beside(DISK);
    small_pushes(bench, &servers, &mut table)?;
    small_pulls(bench, &servers, &mut table)?;
    large_pushes(bench, &servers, &mut table)?;
    large_pulls(bench, &servers, &mut table)?;
    servers.into_iter().for_each(Server::stop);
    Ok(table)
}

fn small_pushes(bench: &Bench, servers: &[Server], table: &mut Table) -> Result<()> {
    for (label, bytes) in SMALL {
        let mut rate = Line::rate(format!("push images of 4 × {label}, {CLIENTS} clients"), "1/s");
        for _ in 0..bench.runs() {
            for server in servers {
                say(&format!("bucket: images of 4 × {label}, {}", server.name));
                let (times, seconds) = push_sized_for(server, CLIENTS, bench.duration(), bytes)?;
                rate.add(&server.name, times.len() as f64 / seconds);
            }
        }
        table.lines.push(rate);
    }
    Ok(())
}

fn small_pulls(bench: &Bench, servers: &[Server], table: &mut Table) -> Result<()> {
    let mut targets = vec![("manifest by tag".to_owned(), "/v2/bench/pull/manifests/latest".to_owned())];
    for (label, bytes) in SMALL {
        let content = Content::fresh(bytes);
        for server in servers {
            push_image(server, "bench/pull", "latest", &content)?;
        }
        targets.push((format!("blob of {label}"), format!("/v2/bench/pull/blobs/{}", content.digest)));
    }
    for (what, target) in targets {
        let mut rate = Line::rate(format!("pull {what}, {CLIENTS} connections"), "1/s");
        let mut slow = Line::cost("… p99", "ms");
        for _ in 0..bench.runs() {
            for server in servers {
                say(&format!("bucket: pull {what}, {}", server.name));
                let load = load::wrk(server.address, &target, CLIENTS, bench.seconds())?;
                rate.add(&server.name, load.rate);
                slow.add(&server.name, load.p99);
            }
        }
        table.lines.extend([rate, slow]);
    }
    Ok(())
}

fn large_pushes(bench: &Bench, servers: &[Server], table: &mut Table) -> Result<()> {
    let (label, size) = large(bench);
    let mut rate = Line::rate(format!("push {label}, POST + PUT"), "MB/s");
    let mut cost = Line::cost("… server CPU", "s/GB");
    for _ in 0..bench.runs() {
        for server in servers {
            say(&format!("bucket: push {label}, {}", server.name));
            let content = Content::fresh(size);
            rustix::fs::sync();
            let before = server.cpu_seconds()?;
            let (_, seconds) =
                clients(1, |_| Registry::new(server.address).push_blob("bench/push", &content))?;
            rate.add(&server.name, size as f64 / 1e6 / seconds);
            cost.add(&server.name, (server.cpu_seconds()? - before) / (size as f64 / 1e9));
        }
    }
    table.lines.extend([rate, cost]);
    Ok(())
}

fn large_pulls(bench: &Bench, servers: &[Server], table: &mut Table) -> Result<()> {
    let (label, size) = large(bench);
    let content = Content::fresh(size);
    for server in servers {
        push_image(server, "bench/pull", "large", &content)?;
    }
    let target = format!("/v2/bench/pull/blobs/{}", content.digest);
    for connections in [1, 4] {
        let plural = if connections == 1 { "" } else { "s" };
        let mut rate = Line::rate(format!("pull {label}, {connections} connection{plural}"), "MB/s");
        let mut cost = Line::cost("… server CPU", "s/GB");
        for _ in 0..bench.runs() {
            for server in servers {
                say(&format!("bucket: pull {label}, {connections} connection{plural}, {}", server.name));
                let before = server.cpu_seconds()?;
                let (_, seconds) =
                    clients(connections, |_| Registry::new(server.address).pull_blob(&target))?;
                let bytes = size as f64 * connections as f64;
                rate.add(&server.name, bytes / 1e6 / seconds);
                cost.add(&server.name, (server.cpu_seconds()? - before) / (bytes / 1e9));
            }
        }
        table.lines.extend([rate, cost]);
    }
    Ok(())
}

/// Name and bytes of a large blob.
fn large(bench: &Bench) -> (&'static str, u64) {
    if bench.quick { ("64 MiB", 64 << 20) } else { ("256 MiB", 256 << 20) }
}
