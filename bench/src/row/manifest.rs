//! Manifests by tag: the request that every client sends first and most.

use std::fs;

use anyhow::Result;

use crate::bench::{Bench, push_image, say};
use crate::content::Content;
use crate::figure::{Against, Goal, Line, Table, at_least, at_most};
use crate::limit;
use crate::load::{self, Load};
use crate::roster::{DISTRIBUTION, HYPER, NGINX};
use crate::server::Server;

const GOALS: [Goal; 2] =
    [at_least(7.0, Against::Column(DISTRIBUTION)), at_least(0.5, Against::Column(NGINX))];

/// Measures GET and HEAD at 16 and 256 connections.
pub(crate) fn run(bench: &Bench) -> Result<Table> {
    let note = "The registries decide on access, write a log line and count; nginx serves a static file without a log, hyper one answer from memory.";
    let mut table = bench.table("Manifest by tag", note, &[NGINX, HYPER]);
    let (servers, targets) = prepare(bench)?;
    for method in ["GET", "HEAD"] {
        for connections in [16, 256] {
            say(&format!("manifest {method}, {connections} connections"));
            let mut rate = Line::rate(format!("{method}, {connections} connections"), "req/s").goals(&GOALS);
            let mut p99 = Line::cost("… p99", "ms").goal(at_most(2.0, Against::Column(NGINX)));
            for _ in 0..bench.runs() {
                for (server, target) in servers.iter().zip(&targets) {
                    let load = measure(bench, server, method, target, connections)?;
                    rate.add(&server.name, load.rate);
                    p99.add(&server.name, load.p99);
                }
            }
            table.lines.extend([rate, p99]);
        }
    }
    servers.into_iter().for_each(Server::stop);
    Ok(table)
}

fn prepare(bench: &Bench) -> Result<(Vec<Server>, Vec<String>)> {
    let mut servers = bench.roster.start()?;
    let layer = Content::fresh(10_000);
    let mut manifest = Vec::new();
    for server in &servers {
        manifest = push_image(server, "bench/manifest", "latest", &layer)?;
    }
    let mut targets = vec!["/v2/bench/manifest/manifests/latest".to_owned(); servers.len()];
    if let Some(nginx) = limit::nginx(&bench.roster, None)? {
        if let Some(directory) = &nginx.directory {
            fs::write(directory.join("files/manifest"), &manifest)?;
        }
        servers.push(nginx);
        targets.push("/manifest".to_owned());
    }
    servers.push(limit::hyper(&bench.roster, manifest.len())?);
    targets.push("/".to_owned());
    Ok((servers, targets))
}

fn measure(
    bench: &Bench,
    server: &Server,
    method: &'static str,
    target: &str,
    connections: usize,
) -> Result<Load> {
    if method == "GET" {
        return load::wrk(server.address, target, connections, bench.seconds());
    }
    load::requests(server.address, method, connections, bench.duration(), &|_| target.to_owned())
}
