//! What a bearer token costs: manifests by tag with one, beside the same without credentials; and what becomes of both while logins flood
//! the server.

use anyhow::{Context as _, Result};

use crate::bench::{Bench, push_image, say};
use crate::content::Content;
use crate::figure::{Against, Goal, Line, Table, at_least};
use crate::flood;
use crate::http::{Body, Client};
use crate::load;
use crate::roster::BERTH;

const ANONYMOUS: &str = "anonymous";
const BEARER: &str = "bearer";
const GOALS: [Goal; 1] = [at_least(0.85, Against::Column(ANONYMOUS))];
const TARGET: &str = "/v2/bench/manifest/manifests/latest";
/// base64 of `bench:secret`.
const CREDENTIALS: &str = "Basic YmVuY2g6c2VjcmV0";

/// Measures GET at 16 and 256 connections, and at 16 during a flood of logins.
pub(crate) fn run(bench: &Bench) -> Result<Table> {
    // argon2id of "secret" with the cheapest parameters: this login is not what is measured. One token lasts for the whole run.
    let users = "access:\n  anonymous: write\n  tokens:\n    lifetime_seconds: 3600\n  users:\n    - name: bench\n      password: \
                 $argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzYWx0$4bKx8xqYl+hsJtplzfOhb58XVdEg2q8nqW/oZg1WP/o\n";
    let server = bench.roster.start_configured(BERTH, BERTH, |address, directory| {
        let data = directory.join("data");
        Ok(format!("data_dir: {}\nhttp:\n  listen: [\"{address}\"]\n{users}", data.display()))
    })?;
    push_image(&server, "bench/manifest", "latest", &Content::fresh(10_000))?;
    let mut client = Client::new(server.address);
    let answer = client
        .send(
            "GET",
            "/token?scope=repository:bench/manifest:pull",
            &[("Authorization", CREDENTIALS)],
            Body::Empty,
        )?
        .expect(200)?;
    let answer = String::from_utf8(answer.body)?;
    let (_, rest) = answer.split_once("\"token\":\"").context("no token")?;
    let bearer = format!("Authorization: Bearer {}", rest.split('"').next().unwrap_or_default());
    let columns = [ANONYMOUS.to_owned(), BEARER.to_owned()];
    let note = "One server with one user. The token is a user's for that repository; its signature is checked once, its roles at each request. \
                The flood is of 16 clients that log in with wrong passwords, at the cost of a whole argon2id hash each; they are on this machine, \
                too, and so take processor time from all others.";
    let mut table = Table::states("Manifest by tag with a token", note, &columns);
    let callers = [(ANONYMOUS, None), (BEARER, Some(bearer.as_str()))];
    for connections in [16, 256] {
        let mut rate = Line::rate(format!("GET, {connections} connections"), "req/s").goals(&GOALS);
        let mut p99 = Line::cost("… p99", "ms");
        for _ in 0..bench.runs() {
            for (column, header) in callers {
                say(&format!("token: {column}, {connections} connections"));
                let load = load::wrk_with(server.address, TARGET, connections, bench.seconds(), header)?;
                rate.add(column, load.rate);
                p99.add(column, load.p99);
            }
        }
        table.lines.extend([rate, p99]);
    }
    let mut rate = Line::rate("GET, 16 connections, logins flood the server", "req/s");
    let mut p99 = Line::cost("… p99", "ms");
    let mut logins = Line::rate("… logins refused meanwhile", "1/s");
    for _ in 0..bench.runs() {
        for (column, header) in callers {
            say(&format!("token: {column}, 16 connections during a flood of logins"));
            let pulls = || load::wrk_with(server.address, TARGET, 16, bench.seconds(), header);
            let (load, refused) = flood::during(server.address, pulls)?;
            rate.add(column, load.rate);
            p99.add(column, load.p99);
            logins.add(column, refused);
        }
    }
    table.lines.extend([rate, p99, logins]);
    server.stop();
    Ok(table)
}
