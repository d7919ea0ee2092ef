//! A server stands still past its leases, and wakes up in a world that went on.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::stage::{Stage, play};
use crate::harness::{content, expect, manifest_of};

const REPOSITORY: &str = "chaos/frozen";
/// Least time that it stands still, in seconds: long after its memory must count as old, and past what the balancer needs to
/// notice. The longer the chaos, the longer it may be, so that all leases run out.
const STILL_SECONDS: u64 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_stands_still() -> Result<()> {
    let setup = crate::harness::Cluster::start();
    play("server frozen and woken", setup, Duration::from_secs(10), async |stage| {
        let mut round = 0;
        while !stage.is_over() {
            round += 1;
            freeze(stage, round).await.with_context(|| format!("round {round}"))?;
            stage.pause(500, 1500).await;
        }
        Ok(())
    })
    .await
}

/// What is deleted while a server sleeps, it does not serve from memory when it wakes.
async fn freeze(stage: &mut Stage, round: u64) -> Result<()> {
    let sleeper = stage.any_node();
    let other = stage.cluster.node((sleeper + 1) % 3).api()?;
    let bytes = content(round, 2_000);
    let blob = other.push_blob(REPOSITORY, &bytes).await?;
    let config = json!({"mediaType": "application/vnd.example", "digest": blob, "size": bytes.len()});
    let manifest = manifest_of(&config, &[], &json!({"round": round.to_string()}));
    let digest = other.push_manifest(REPOSITORY, "warm", &manifest).await?;
    let sleeping = stage.cluster.node(sleeper).api()?;
    for _ in 0..3 {
        sleeping.pull_manifest(REPOSITORY, &digest).await?;
    }
    stage.cluster.node(sleeper).signal("STOP").await?;
    stage.fault();
    let path = format!("/v2/{REPOSITORY}/manifests/{digest}");
    let deleted = async { expect(other.delete(&path).await?, 202).await };
    let deleted = tokio::time::timeout(Duration::from_secs(20), deleted).await;
    let longest = STILL_SECONDS + 1 + stage.seconds() / 2;
    stage.pause(STILL_SECONDS * 1000, longest * 1000).await;
    stage.cluster.node(sleeper).signal("CONT").await?;
    deleted.context("no server could delete while another stood still")??;
    for _ in 0..20 {
        let status = sleeping.get(&path).await?.status();
        ensure!(status != 200, "the woken server serves what was deleted meanwhile");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
