//! What servers do while their database or their bucket is away: what they can, and for the rest they ask for patience.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Response;
use serde_json::{Value, json};

use crate::harness::{Api, Cluster, content, digest_of, expect, manifest_of};

const REPOSITORY: &str = "cluster/outage";
/// Longest that servers may take to notice that all is well again.
const WELL_WITHIN: Duration = Duration::from_secs(10);

/// Pushes an image of one blob of this size; hands back the blob's digest.
async fn push(api: &Api, tag: &str, size: usize) -> Result<String> {
    let bytes = content(size as u64, size);
    let blob = api.push_blob(REPOSITORY, &bytes).await?;
    let config = json!({"mediaType": "application/vnd.example", "digest": blob, "size": bytes.len()});
    api.push_manifest(REPOSITORY, tag, &manifest_of(&config, &[], &json!({"tag": tag}))).await?;
    Ok(blob)
}

/// Fails unless the answer asks to come again, and when.
fn ensure_patience_is_asked(what: &str, answer: &Response) -> Result<()> {
    let after = answer.headers().get("retry-after");
    ensure!(answer.status() == 503 && after.is_some(), "{what}: {}, Retry-After: {after:?}", answer.status());
    Ok(())
}

/// What `/readyz` says: status and body.
async fn readiness(api: &Api, query: &str) -> Result<(u16, Value)> {
    let answer = api.get(&format!("/readyz{query}")).await?;
    Ok((answer.status().as_u16(), answer.json().await?))
}

/// Does it until it succeeds.
async fn soon(what: &str, attempt: impl AsyncFn() -> Result<()>) -> Result<()> {
    let begin = Instant::now();
    while let Err(error) = attempt().await {
        if begin.elapsed() > WELL_WITHIN {
            bail!("{what} after {} s: {error:#}", WELL_WITHIN.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

#[tokio::test]
async fn without_the_bucket_small_things_go_on() -> Result<()> {
    let cluster = Cluster::setup().with_own_gateway().start().await?;
    let api = cluster.node(0).api()?;
    let (small, big) = (push(&api, "small", 5_000).await?, push(&api, "big", 900_000).await?);
    cluster.gateway()?.stop();
    api.resolve(REPOSITORY, "small").await?.context("the small image is gone")?;
    api.pull_blob(REPOSITORY, &small).await?;
    api.pull_manifest(REPOSITORY, "big").await?;
    push(&api, "another", 6_000).await.context("a small push")?;
    // Of a server that never read it, and so can't have it on its disk.
    let path = format!("/v2/{REPOSITORY}/blobs/{big}");
    ensure_patience_is_asked("pull", &cluster.node(2).api()?.get(&path).await?)?;
    let upload = api.start_upload(REPOSITORY).await?;
    let bytes = content(4, 300_000);
    let url = format!("{upload}?digest={}", digest_of(&bytes));
    let answer = api.request(reqwest::Method::PUT, &url)?.body(bytes).send().await?;
    ensure_patience_is_asked("push", &answer)?;

    // Away for all of them: they stay in the balancer, and serve through it what they can.
    for node in cluster.nodes() {
        let api = node.api()?;
        soon("the bucket is missed", async || {
            let (lenient, strict) = (readiness(&api, "").await?, readiness(&api, "?strict").await?);
            let body = json!({"status": "degraded", "out": ["storage"], "read_only": false});
            ensure!(lenient == (200, body.clone()) && strict == (503, body), "{lenient:?} {strict:?}");
            let metrics = api.get("/metrics").await?.text().await?;
            ensure!(metrics.contains("berth_storage_up 0.0") && metrics.contains("berth_database_up 1.0"));
            Ok(())
        })
        .await?;
    }
    let through = cluster.api()?;
    for _ in 0..10 {
        through.pull_manifest(REPOSITORY, "big").await.context("through the balancer")?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    cluster.gateway()?.start();
    soon("a large push", async || push(&api, "back", 700_000).await.map(drop)).await?;
    api.pull_blob(REPOSITORY, &big).await?;
    soon("readiness", async || {
        let whole = readiness(&api, "?strict").await?;
        ensure!(whole.0 == 200, "{whole:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn without_the_database_patience_is_asked() -> Result<()> {
    let cluster = Cluster::setup().with_lines().with_database("patience_seconds", 3).start().await?;
    let api = cluster.node(0).api()?;
    push(&api, "before", 5_000).await?;
    for lines in cluster.lines() {
        lines.database.cut();
    }
    let path = format!("/v2/{REPOSITORY}/manifests/before");
    let begin = Instant::now();
    ensure_patience_is_asked("pull", &api.get(&path).await?)?;
    let bytes = content(9, 700);
    let url = format!("/v2/{REPOSITORY}/blobs/uploads/?digest={}", digest_of(&bytes));
    ensure_patience_is_asked("push", &api.request(reqwest::Method::POST, &url)?.body(bytes).send().await?)?;
    let waited = begin.elapsed();
    // The first waits for a failover to end, and who comes later hears at once that there is none.
    ensure!(waited < Duration::from_secs(6), "two answers took {waited:?}");
    let begin = Instant::now();
    for _ in 0..10 {
        ensure_patience_is_asked("pull", &api.get(&path).await?)?;
    }
    ensure!(begin.elapsed() < Duration::from_secs(1), "ten refusals took {:?}", begin.elapsed());
    let unready = (503, json!({"status": "unready", "out": ["database"], "read_only": false}));
    ensure!(readiness(&api, "").await? == unready, "ready without a database");
    let metrics = api.get("/metrics").await?.text().await?;
    ensure!(metrics.contains("berth_database_up 0.0") && metrics.contains("berth_storage_up 1.0"));
    ensure!(api.get("/healthz").await?.status() == 200, "not alive without a database");

    for lines in cluster.lines() {
        lines.mend();
    }
    let begin = Instant::now();
    soon("a pull", async || expect(api.get(&path).await?, 200).await.map(drop)).await?;
    println!("the node came back in {:?}", begin.elapsed());
    soon("a push", async || push(&api, "after", 8_000).await.map(drop)).await?;
    expect(api.get(&path).await?, 200).await?;
    soon("readiness", async || expect(api.get("/readyz").await?, 200).await.map(drop)).await
}
