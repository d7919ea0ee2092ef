//! Databases, object stores and balancers of this run's own, and what they say about themselves.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Context as _, Result, anyhow};
use berth_engines::{Haproxy, Postgres};

use crate::bench::say;
use crate::content::seed;
use crate::machine;
use crate::server::Server;

/// What every database is told, beside what a group adds: as on a small machine that has little else to do. Commits are synced.
const SETTINGS: [(&str, &str); 6] = [
    ("shared_buffers", "1GB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "15min"),
    ("maintenance_work_mem", "256MB"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
];

/// Starts something that fails by panicking, and turns that into an error: it must not cost the other groups their turn.
pub(crate) fn start<T>(what: &str, start: impl FnOnce() -> T) -> Result<T> {
    say(&format!("starting {what}"));
    catch_unwind(AssertUnwindSafe(start)).map_err(|panic| {
        let said = panic.downcast_ref::<String>().map_or("no reason was given", String::as_str);
        anyhow!("{what} could not be started: {said}")
    })
}

/// Starts a Postgres.
pub(crate) fn postgres(more: &[(&str, &str)]) -> Result<Postgres> {
    start("Postgres", || Postgres::with(&[&SETTINGS, more].concat()))
}

/// Makes an empty database.
pub(crate) fn database(postgres: &Postgres) -> Result<String> {
    let name = format!("bench_{:016x}", seed());
    query(&postgres.url("postgres"), &format!("CREATE DATABASE {name}"))?;
    Ok(postgres.url(&name))
}

/// Runs SQL; rows are lines with `|` between the columns.
pub(crate) fn query(url: &str, sql: &str) -> Result<String> {
    Postgres::try_query(url, sql).map_err(|complaint| anyhow!("{sql}: {complaint}"))
}

/// Starts a balancer in front of some nodes; it is a server like them.
pub(crate) fn balancer(nodes: &[Server]) -> Result<(Haproxy, Server)> {
    let backends: Vec<String> = nodes.iter().map(|node| node.address.to_string()).collect();
    let balancer = start("HAProxy", || Haproxy::start(&backends))?;
    let server = Server::given("HAProxy", &format!("http://{}", balancer.host()))?;
    Ok((balancer, server))
}

/// The process that listens at an address.
pub(crate) fn process(address: SocketAddr) -> Result<u32> {
    machine::listener(address.port()).context("finding an engine's process")
}
