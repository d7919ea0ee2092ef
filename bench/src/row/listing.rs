//! A page of tags from a repository that has many.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::bench::{Bench, push_image, say};
use crate::content::{Content, MANIFEST_TYPE, digest_of};
use crate::figure::{Against, Line, Table, at_most};
use crate::http::{Body, Client};
use crate::load;
use crate::roster::{DISTRIBUTION, DOCKER_REGISTRY};
use crate::server::Server;

const TAGS: usize = 10_000;

/// Measures one page of 100 tags out of 10,000, by one client.
pub(crate) fn run(bench: &Bench) -> Result<Table> {
    let note = "docker-registry ignores `n` and sends all. Its store and distribution's are filled by copying the link file of a \
                pushed tag, the others' through the API.";
    let mut table = bench.table("Tag listing", note, &[]);
    let mut line =
        Line::cost("`tags/list?n=100` of 10,000 tags, median", "ms").goal(at_most(1.0, Against::Nothing));
    let servers = bench.roster.start()?;
    for server in &servers {
        say(&format!("tag listing, {}", server.name));
        fill(server)?;
        for _ in 0..bench.runs() {
            let target = "/v2/bench/tags/tags/list?n=100&last=t05000";
            let load = load::requests(server.address, "GET", 1, bench.duration(), &|_| target.to_owned())?;
            line.add(&server.name, load.p50);
        }
    }
    servers.into_iter().for_each(Server::stop);
    table.lines.push(line);
    Ok(table)
}

fn fill(server: &Server) -> Result<()> {
    let manifest = push_image(server, "bench/tags", "t00000", &Content::fresh(10_000))?;
    if [DOCKER_REGISTRY, DISTRIBUTION].contains(&server.name.as_str()) {
        let store = server.directory.as_ref().context("a started server has a directory")?;
        return copy_tags(&store.join("data/docker/registry/v2/repositories/bench/tags/_manifests/tags"));
    }
    let mut client = Client::new(server.address);
    let digest = digest_of(&manifest);
    for index in 1..TAGS {
        let target = format!("/v2/bench/tags/manifests/t{index:05}");
        let fields = [("Content-Type", MANIFEST_TYPE)];
        let answer = client.send("PUT", &target, &fields, Body::Bytes(&manifest))?.expect(201)?;
        debug_assert!(answer.header("docker-content-digest").is_none_or(|given| given == digest));
    }
    Ok(())
}

/// A tag is `TAG/current/link` and `TAG/index/ALGORITHM/HEX/link`, both with the digest inside.
fn copy_tags(tags: &Path) -> Result<()> {
    let link = fs::read(tags.join("t00000/current/link"))?;
    let text = String::from_utf8(link)?;
    let (algorithm, hex) = text.split_once(':').context("a link without a digest")?;
    for index in 1..TAGS {
        let tag = tags.join(format!("t{index:05}"));
        let history = tag.join("index").join(algorithm).join(hex);
        fs::create_dir_all(tag.join("current"))?;
        fs::create_dir_all(&history)?;
        fs::write(tag.join("current/link"), &text)?;
        fs::write(history.join("link"), &text)?;
    }
    Ok(())
}
