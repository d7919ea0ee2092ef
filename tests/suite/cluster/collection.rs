//! Collection whose servers die in the middle: another finishes it, and frees neither too little nor too much.
//!
//! One round for twenty of `BERTH_CRASH_ROUNDS`: each waits until the lease of the killed has run out.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use crate::harness::{Api, Cluster, Random, content, manifest_of, number_from_environment};

const REPOSITORY: &str = "cluster/collection";
/// Blobs in a round.
const BLOBS: u64 = 60;
/// Every so many blobs one is an image's, and stays.
const KEPT: u64 = 6;
/// Too long for a row of the catalog.
const BLOB_BYTES: usize = 20_000;
/// Longest until a collection succeeds after all servers were killed: leases run out, and others take over.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(90);

/// Makes an image of a blob; hands back the manifest's digest.
async fn push_manifest(api: &Api, number: u64, blob: &str) -> Result<String> {
    let config = json!({"mediaType": "application/vnd.example", "digest": blob, "size": BLOB_BYTES});
    let manifest = manifest_of(&config, &[], &json!({"number": number.to_string()}));
    api.push_manifest(REPOSITORY, &format!("t{number}"), &manifest).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_outlives_its_servers() -> Result<()> {
    let mut random = Random::from_environment()?;
    let mut cluster = Cluster::start().await?;
    let mut kept = Vec::new();
    for round in 0..number_from_environment("BERTH_CRASH_ROUNDS", 20)?.div_ceil(20) {
        let api = cluster.api()?;
        for number in round * BLOBS..(round + 1) * BLOBS {
            let blob = api.push_blob(REPOSITORY, &content(number, BLOB_BYTES)).await?;
            if number % KEPT == 0 {
                kept.push((push_manifest(&api, number, &blob).await?, blob));
            }
        }
        kill_amid_collection(&mut cluster, Duration::from_millis(random.between(100, 900))).await?;
        collect(&cluster).await.with_context(|| format!("round {round}"))?;
        cluster.node(0).verify().await?;
        let api = cluster.api()?;
        for (manifest, blob) in &kept {
            api.pull_manifest(REPOSITORY, manifest).await?;
            api.pull_blob(REPOSITORY, blob).await?;
        }
    }
    Ok(())
}

/// Orders a collection, and kills everybody after a while.
async fn kill_amid_collection(cluster: &mut Cluster, after: Duration) -> Result<()> {
    // What becomes of this order is not what is tested here: a later one has to succeed.
    let _ = tokio::time::timeout(after, cluster.node(1).berth(&["gc", "--now", "--delay", "0s"])).await;
    for number in 0..Cluster::NODES {
        cluster.node_mut(number).kill()?;
    }
    cluster.heal().await
}

/// Collects until it succeeds.
async fn collect(cluster: &Cluster) -> Result<()> {
    let begin = Instant::now();
    loop {
        match cluster.node(0).collect().await {
            Ok(_) => return Ok(()),
            Err(error) if begin.elapsed() > TAKEN_OVER_WITHIN => bail!("nobody collects any more: {error:#}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
        }
    }
}
