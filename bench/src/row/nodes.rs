//! One, two and three nodes on the same Postgres and bucket behind a balancer, beside one without.

use anyhow::{Context as _, Result};
use berth_engines::Haproxy;

use crate::bench::{Bench, push_image, say};
use crate::content::{Content, digest_of};
use crate::engine;
use crate::figure::{Line, Table, percentile};
use crate::load;
use crate::machine::cpu_seconds;
use crate::row::image::push_for;
use crate::server::Server;
use crate::shared::{self, Bucket};

const NODES: usize = 3;
const CLIENTS: usize = 16;
const NOTE: &str = "All nodes run on the same cores as the load, the balancer, the database and the object store. So this shows what a \
    further node costs, and that none gets in the way of another; it can't show what a further machine gives. That follows from the \
    CPU lines: what the nodes use moves to further machines, what the balancer and the database use for each request does not. 16 \
    connections; images as in \"Small images\". The balancer speaks HTTP/1.1, keeps connections and writes a line for each request.";

/// Some nodes and what leads to them.
struct Column {
    name: String,
    nodes: usize,
    front: Option<(Haproxy, Server)>,
}

/// Measures pulls by tag and by digest, and pushes.
pub(crate) fn run(bench: &Bench) -> Result<Table> {
    let bucket = Bucket::start()?;
    let postgres = engine::postgres(&[])?;
    let url = engine::database(&postgres)?;
    let database = engine::process(postgres.address())?;
    let nodes: Vec<Server> = (1..=NODES)
        .map(|number| shared::berth(&bench.roster, &format!("node {number}"), &url, Some(&bucket)))
        .collect::<Result<_>>()?;
    let mut columns = vec![Column { name: "one node, no balancer".to_owned(), nodes: 1, front: None }];
    for count in 1..=NODES {
        let plural = if count == 1 { "" } else { "s" };
        let front = Some(engine::balancer(&nodes[..count])?);
        columns.push(Column { name: format!("{count} node{plural} behind HAProxy"), nodes: count, front });
    }
    let manifest = push_image(&nodes[0], "bench/nodes", "latest", &Content::fresh(10 << 10))?;
    let by_digest = format!("/v2/bench/nodes/manifests/{}", digest_of(&manifest));
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let mut table = Table::states("Nodes", NOTE, &names);
    for (what, target) in [
        ("manifest GET by tag", Some("/v2/bench/nodes/manifests/latest")),
        ("manifest GET by digest", Some(by_digest.as_str())),
        ("image push", None),
    ] {
        let mut lines = Lines::new(what);
        for _ in 0..bench.runs() {
            for column in &columns {
                say(&format!("nodes: {what}, {}", column.name));
                measure(bench, column, &nodes, database, target, &mut lines)?;
            }
        }
        table.lines.extend(lines.0);
    }
    drop(columns);
    nodes.into_iter().for_each(Server::stop);
    Ok(table)
}

/// The lines of one operation: rate, 99th percentile, and what uses the processor.
struct Lines([Line; 6]);

impl Lines {
    fn new(what: &str) -> Self {
        Self([
            Line::rate(format!("{what}, 16 clients"), "1/s"),
            Line::cost("… p99", "ms"),
            Line::cost("… CPU of the nodes, for each", "ms"),
            Line::cost("… CPU of the database", "ms"),
            Line::cost("… CPU of the balancer", "ms"),
            Line::rate("… for each CPU second of the nodes", "1/s"),
        ])
    }
}

fn measure(
    bench: &Bench,
    column: &Column,
    nodes: &[Server],
    database: u32,
    target: Option<&str>,
    lines: &mut Lines,
) -> Result<()> {
    let front = column.front.as_ref().map(|(_, server)| server);
    let server = front.or(nodes.first()).context("there are no nodes")?;
    let used = || -> Result<[f64; 3]> {
        let nodes: Vec<f64> = nodes[..column.nodes].iter().map(Server::cpu_seconds).collect::<Result<_>>()?;
        Ok([nodes.iter().sum(), cpu_seconds(database)?, front.map_or(Ok(0.0), Server::cpu_seconds)?])
    };
    let before = used()?;
    let (rate, p99, operations) = if let Some(target) = target {
        let load = load::wrk(server.address, target, CLIENTS, bench.seconds())?;
        (load.rate, load.p99, load.rate * bench.seconds() as f64)
    } else {
        let (times, seconds) = push_for(server, CLIENTS, bench.duration())?;
        let operations = times.len() as f64;
        (operations / seconds, percentile(&times, 99.0), operations)
    };
    let after = used()?;
    let cost = |index: usize| (after[index] - before[index]) * 1e3 / operations;
    let values = [rate, p99, cost(0), cost(1), cost(2), operations / (after[0] - before[0]).max(1e-3)];
    for (line, value) in lines.0.iter_mut().zip(values) {
        line.add(&column.name, value);
    }
    Ok(())
}
