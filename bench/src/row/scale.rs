//! Does Berth slow down as it fills? Push, pull and listing at a thousand to a million tags.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::bench::{Bench, clients, say};
use crate::content::{Content, manifest, next, seed};
use crate::figure::{Against, Line, Table, at_most};
use crate::load;
use crate::registry::Registry;
use crate::roster::BERTH;
use crate::server::Server;

const CLIENTS: usize = 16;
/// Tags in every repository but the big one.
const TAGS: usize = 100;
/// Tags that one manifest carries.
const TAGS_PER_MANIFEST: usize = 10;
const BIG: &str = "bench/big";

/// A store that grows: how many repositories and how many tags of the big one are there.
#[derive(Default)]
struct Store {
    repositories: usize,
    big_tags: usize,
}

/// Fills a store through the API and measures at each size; the answers are the table and the seconds of starts on
/// the full store.
pub(crate) fn run(bench: &Bench) -> Result<(Table, Vec<f64>)> {
    let sizes: &[usize] =
        if bench.quick { &[1_000, 10_000, 50_000] } else { &[1_000, 10_000, 100_000, 1_000_000] };
    let labels: Vec<String> = sizes.iter().map(|size| format!("{size} tags")).collect();
    let note = "Berth alone. A tenth of the tags, at most 10,000, are in one repository, the others a hundred to a repository, ten \
                to a manifest; all pushed through the API. Few tags are soon all in memory, of many each is asked for the first time.";
    let mut table = Table::states("Growth", note, &labels);
    let mut lines = [
        Line::rate("manifest push under a new tag, 16 clients", "1/s"),
        Line::rate("manifest GET by one of 1,000 tags, 16 connections", "1/s"),
        Line::rate("manifest GET by one of all tags", "1/s"),
        Line::cost("… p99", "ms"),
        Line::cost("`tags/list?n=100` of the big repository, median", "ms")
            .goal(at_most(1.0, Against::Nothing)),
        Line::rate("fill, 16 clients", "tags/s"),
    ];
    let mut server = bench.roster.start_one(BERTH)?;
    let mut store = Store::default();
    for (size, label) in sizes.iter().zip(&labels) {
        say(&format!("growth, {label}"));
        let start = Instant::now();
        let added = store.grow(&server, *size)?;
        lines[5].add(label, added as f64 / start.elapsed().as_secs_f64());
        for _ in 0..bench.runs() {
            measure(bench, &server, &store, label, &mut lines)?;
        }
    }
    table.lines.extend(lines);
    let directory = server.directory.clone().context("a started server has a directory")?;
    let mut starts = Vec::new();
    for _ in 0..=bench.runs() {
        server.end();
        let start = Instant::now();
        server = bench.roster.start_in(BERTH, &directory)?;
        let seconds = start.elapsed().as_secs_f64();
        say(&format!("start on the full store: {seconds:.3} s"));
        starts.push(seconds);
    }
    server.stop();
    Ok((table, starts))
}

impl Store {
    fn grow(&mut self, server: &Server, tags: usize) -> Result<usize> {
        let big = (tags / 10).min(10_000);
        let repositories = (tags - big) / TAGS;
        let jobs = (repositories - self.repositories) + (big - self.big_tags) / TAGS;
        let (first, big_first) = (self.repositories, self.big_tags);
        let counter = AtomicUsize::new(0);
        clients(CLIENTS, |_| {
            let mut registry = Registry::new(server.address);
            loop {
                let job = counter.fetch_add(1, Ordering::Relaxed);
                if job >= jobs {
                    return Ok(());
                }
                match job.checked_sub(repositories - first) {
                    Some(hundred) => tag_hundred(&mut registry, BIG, big_first + hundred * TAGS)?,
                    None => tag_hundred(&mut registry, &name(first + job), 0)?,
                }
            }
        })?;
        (self.repositories, self.big_tags) = (repositories, big);
        Ok(jobs * TAGS)
    }
}

fn name(index: usize) -> String {
    format!("bench/group{:03}/repository{index:05}", index / 100)
}

/// Pushes ten manifests of ten tags each (distribution-spec, `tag` query parameters on a push by digest).
fn tag_hundred(registry: &mut Registry, repository: &str, first: usize) -> Result<()> {
    let config = Content::fresh(100);
    registry.post_blob(repository, &config)?;
    for group in 0..TAGS / TAGS_PER_MANIFEST {
        let (bytes, digest) = manifest(&config, &vec![config.clone(); group]);
        let from = first + group * TAGS_PER_MANIFEST;
        let tags: Vec<String> =
            (from..from + TAGS_PER_MANIFEST).map(|tag| format!("tag=t{tag:05}")).collect();
        registry.push_manifest(repository, &format!("{digest}?{}", tags.join("&")), &bytes)?;
    }
    Ok(())
}

fn measure(bench: &Bench, server: &Server, store: &Store, label: &str, lines: &mut [Line; 6]) -> Result<()> {
    let end = Instant::now() + bench.duration();
    let (pushed, seconds) = clients(CLIENTS, |_| {
        let mut registry = Registry::new(server.address);
        let mut state = seed();
        let repository = name(state as usize % store.repositories);
        let config = Content::fresh(100);
        registry.post_blob(&repository, &config)?;
        let (bytes, _) = manifest(&config, &[]);
        let mut pushed = 0;
        while Instant::now() < end {
            state = next(state);
            registry.push_manifest(&repository, &format!("n{state:016x}"), &bytes)?;
            pushed += 1;
        }
        Ok(pushed)
    })?;
    lines[0].add(label, f64::from(pushed.iter().sum::<i32>()) / seconds);
    let tag = |number: u64, repositories: usize| {
        let number = number as usize / 8;
        format!("/v2/{}/manifests/t{:05}", name(number % repositories), number / 65_536 % TAGS)
    };
    let few = |number| tag(number, store.repositories.min(1_000 / TAGS));
    lines[1].add(label, load::requests(server.address, "GET", CLIENTS, bench.duration(), &few)?.rate);
    let all = |number| tag(number, store.repositories);
    let load = load::requests(server.address, "GET", CLIENTS, bench.duration(), &all)?;
    lines[2].add(label, load.rate);
    lines[3].add(label, load.p99);
    let page =
        |number: u64| format!("/v2/{BIG}/tags/list?n=100&last=t{:05}", number as usize % store.big_tags);
    let load = load::requests(server.address, "GET", 1, bench.duration(), &page)?;
    lines[4].add(label, load.p50);
    Ok(())
}
