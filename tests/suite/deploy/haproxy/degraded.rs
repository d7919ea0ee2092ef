//! Nodes that miss something: one alone, and all of them.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::haproxy_before;
use crate::harness::{Api, Authority, Cluster, Home};

/// Pushes small blobs until twenty in a row got in.
async fn until_pushes_succeed(api: &Api, what: &str) -> Result<()> {
    let begin = Instant::now();
    let mut in_a_row = 0;
    for number in 0.. {
        let pushed = api.push_blob("through/proxy", format!("{what} {number}").as_bytes()).await;
        in_a_row = if pushed.is_ok() { in_a_row + 1 } else { 0 };
        if in_a_row == 20 {
            break;
        }
        ensure!(begin.elapsed() < Duration::from_secs(15), "{what}: {pushed:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_alone_misses_something_is_left_out_and_what_all_miss_leaves_none_out() -> Result<()> {
    let mut home = Home::new()?;
    let authority = Authority::new(&[])?;
    let setup = Cluster::setup().with_lines().with_database("patience_seconds", 1);
    let cluster = setup.with_storage("serve_stale_seconds", 60).start().await?;
    let nodes = [cluster.node(0).host(), cluster.node(1).host()];
    let proxy = haproxy_before(&mut home, &authority, nodes).await?;
    let api = Api::new(&format!("https://{}", proxy.host()), Some(&authority), None)?;
    until_pushes_succeed(&api, "both").await?;
    // It would still be ready, for what it remembers.
    tokio::task::block_in_place(|| cluster.lines()[0].database.cut());
    until_pushes_succeed(&api, "one").await?;
    tokio::task::block_in_place(|| cluster.lines()[0].mend());
    for lines in cluster.lines() {
        tokio::task::block_in_place(|| lines.bucket.cut());
    }
    for node in [0, 1] {
        let strict = cluster.node(node).api()?;
        let begin = Instant::now();
        while strict.get("/readyz?strict").await?.status() == 200 {
            ensure!(begin.elapsed() < Duration::from_secs(10), "node {node} does not miss the bucket");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    until_pushes_succeed(&api, "without the bucket").await
}
