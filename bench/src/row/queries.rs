//! Statements at the database for each operation, counted in the database's own log.

use std::time::Duration;

use anyhow::{Context as _, Result};
use berth_engines::Postgres;

use crate::bench::{Bench, push_image, say};
use crate::content::{Content, manifest};
use crate::engine;
use crate::figure::{Against, Goal, Line, Table, at_most};
use crate::http::{Body, Client};
use crate::registry::Registry;
use crate::roster::BERTH;
use crate::server::{Server, pause};
use crate::shared::{self, Bucket};
use crate::statement::{self, Counts};

const NOTE: &str = "One node, one client, the same operation on one thing after the other; each message to the database counts, as \
    its log shows them (`log_statement = all`), a transaction's first and last with it. *Cold* is the first request after a start, \
    *warm* the second. What a request leaves to be done goes in batches: events are sealed, pulls counted. Small is 10 KiB (in the \
    catalog), large 20 MiB (two parts in the bucket).";
const STATEMENTS: &str = "to answer";
const FRAMES: &str = "of these, begin and end";
const AFTERWARDS: &str = "afterwards, in batches";
const REPOSITORY: &str = "bench/queries";
const LARGE: u64 = 20 << 20;
/// Longer than the registry waits before it writes down what it counted.
const SETTLE: Duration = Duration::from_millis(1200);

/// A node, its database, and the rows so far.
struct Count<'a> {
    postgres: &'a Postgres,
    client: Client,
    registry: Registry,
    table: Table,
    times: usize,
}

/// What was pushed under one number.
struct Image {
    tag: String,
    bytes: Vec<u8>,
    digest: String,
    small: String,
    large: String,
}

/// Counts for pulls, pushes, lists and deletions.
pub(crate) fn run(bench: &Bench) -> Result<Table> {
    let bucket = Bucket::start()?;
    let postgres = engine::postgres(&statement::SETTINGS)?;
    let url = engine::database(&postgres)?;
    let start = || shared::berth(&bench.roster, BERTH, &url, Some(&bucket));
    let server = start()?;
    let times = if bench.quick { 3 } else { 10 };
    // The second half is pulled by digest only.
    let images: Vec<Image> = (0..2 * times).map(|number| push(&server, number)).collect::<Result<_>>()?;
    server.stop();
    // Another node has nothing in its memory.
    let server = start()?;
    push_image(&server, "bench/first", "latest", &Content::fresh(1 << 10))?;
    pause(SETTLE);
    let columns = [AFTERWARDS, FRAMES, STATEMENTS].map(str::to_owned);
    let table = Table::states("Statements", NOTE, &columns);
    let (client, registry) = (Client::new(server.address), Registry::new(server.address));
    let mut count = Count { postgres: &postgres, client, registry, table, times };
    count.pulls(&images, times)?;
    count.pushes(&images)?;
    count.rest(&images)?;
    let looks = count.looks()?;
    let mut table = count.table;
    table.note(format!(
        "{NOTE} Beside that a node looks for what others did, and for jobs, {looks:.0} times a second."
    ));
    server.stop();
    Ok(table)
}

fn push(server: &Server, number: usize) -> Result<Image> {
    let (small, large) = (Content::fresh(10 << 10), Content::fresh(LARGE));
    let mut registry = Registry::new(server.address);
    registry.push_blob(REPOSITORY, &small)?;
    registry.push_blob(REPOSITORY, &large)?;
    let (bytes, digest) = manifest(&small, std::slice::from_ref(&large));
    let tag = format!("t{number}");
    registry.push_manifest(REPOSITORY, &tag, &bytes)?;
    Ok(Image { tag, bytes, digest, small: small.digest, large: large.digest })
}

impl Count<'_> {
    fn pulls(&mut self, images: &[Image], half: usize) -> Result<()> {
        let none = at_most(0.0, Against::Nothing);
        let one = at_most(1.0, Against::Nothing);
        for (state, goal) in [("cold", one.clone()), ("warm", one.clone())] {
            let what = format!("manifest GET by tag, {state}");
            self.each(&what, &[goal], |count, number| {
                count.ask("GET", &format!("manifests/{}", images[number].tag), 200)
            })?;
        }
        for (state, goal) in [("cold", one.clone()), ("warm", none.clone())] {
            let what = format!("manifest GET by digest, {state}");
            self.each(&what, &[goal], |count, number| {
                count.ask("GET", &format!("manifests/{}", images[half + number].digest), 200)
            })?;
        }
        for (method, size, state) in [
            ("HEAD", "small", "cold"),
            ("HEAD", "small", "warm"),
            ("GET", "small", "after HEAD"),
            ("GET", "small", "warm"),
            ("GET", "large", "cold"),
            ("GET", "large", "warm"),
            ("HEAD", "large", "warm"),
        ] {
            let goal = if state == "warm" { none.clone() } else { one.clone() };
            self.each(&format!("{size} blob {method}, {state}"), &[goal], |count, number| {
                let image = &images[number];
                let digest = if size == "small" { &image.small } else { &image.large };
                count.ask(method, &format!("blobs/{digest}"), 200)
            })?;
        }
        Ok(())
    }

    fn pushes(&mut self, images: &[Image]) -> Result<()> {
        let blobs = |bytes: u64| (0..images.len()).map(|_| Content::fresh(bytes)).collect::<Vec<_>>();
        for (what, bytes) in [("small", 10 << 10), ("large", LARGE)] {
            let made = blobs(bytes);
            self.each(&format!("{what} blob push, POST + PUT"), &[], |count, number| {
                count.registry.push_blob(REPOSITORY, &made[number])
            })?;
            let made = blobs(bytes);
            self.each(&format!("{what} blob push, one POST"), &[], |count, number| {
                count.registry.post_blob(REPOSITORY, &made[number])
            })?;
        }
        let configs = blobs(1 << 10);
        for config in &configs {
            self.registry.post_blob(REPOSITORY, config)?;
        }
        self.each("manifest push under a new tag, two blobs", &[], |count, number| {
            let (bytes, _) = manifest(&configs[number], std::slice::from_ref(&configs[0]));
            count.registry.push_manifest(REPOSITORY, &format!("n{number}"), &bytes)
        })?;
        self.each("the same manifest again", &[], |count, number| {
            count.registry.push_manifest(REPOSITORY, &images[number].tag, &images[number].bytes)
        })
    }

    fn rest(&mut self, images: &[Image]) -> Result<()> {
        self.each("page of tags", &[], |count, _| count.ask("GET", "tags/list?n=100", 200))?;
        self.each("tag DELETE", &[], |count, number| {
            count.ask("DELETE", &format!("manifests/{}", images[number].tag), 202)
        })?;
        self.each("manifest DELETE", &[], |count, number| {
            count.ask("DELETE", &format!("manifests/{}", images[number].digest), 202)
        })?;
        self.each("blob DELETE", &[], |count, number| {
            count.ask("DELETE", &format!("blobs/{}", images[number].small), 202)
        })
    }

    fn ask(&mut self, method: &str, path: &str, status: u16) -> Result<()> {
        let target = format!("/v2/{REPOSITORY}/{path}");
        let fields = [("Accept", crate::content::MANIFEST_TYPE)];
        self.client.send(method, &target, &fields, Body::Empty)?.expect(status)?;
        Ok(())
    }

    /// Counts what an operation sends, on the average of some repetitions.
    fn each(
        &mut self,
        what: &str,
        goals: &[Goal],
        mut operation: impl FnMut(&mut Self, usize) -> Result<()>,
    ) -> Result<()> {
        say(&format!("statements: {what}"));
        let from = statement::position(self.postgres)?;
        for number in 0..self.times {
            operation(self, number).with_context(|| what.to_owned())?;
        }
        pause(SETTLE);
        let counts = statement::count(self.postgres, from)?;
        self.note(what, goals, &counts, self.times as f64);
        Ok(())
    }

    /// Counts what a node sends in a second in which nobody asks anything.
    fn looks(&self) -> Result<f64> {
        let from = statement::position(self.postgres)?;
        let seconds = 4;
        pause(Duration::from_secs(seconds));
        Ok(statement::count(self.postgres, from)?.looks as f64 / seconds as f64)
    }

    fn note(&mut self, what: &str, goals: &[Goal], counts: &Counts, times: f64) {
        let mut line = Line::cost(what, "").goals(goals);
        line.add(AFTERWARDS, counts.afterwards as f64 / times);
        line.add(FRAMES, counts.frames as f64 / times);
        line.add(STATEMENTS, counts.request as f64 / times);
        self.table.lines.push(line);
    }
}
