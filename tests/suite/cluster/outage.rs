//! What servers do while their database or their bucket is away: what they can, and for the rest they ask for patience.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Response;
use serde_json::json;

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

    cluster.gateway()?.start();
    soon("a large push", async || push(&api, "back", 700_000).await.map(drop)).await?;
    api.pull_blob(REPOSITORY, &big).await?;
    Ok(())
}

#[tokio::test]
async fn without_the_database_patience_is_asked() -> Result<()> {
    let cluster = Cluster::setup().with_lines().start().await?;
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
    ensure!(waited < Duration::from_secs(40), "two answers took {waited:?}");
    ensure!(api.get("/readyz").await?.status() == 503, "ready without a database");
    ensure!(api.get("/healthz").await?.status() == 200, "not alive without a database");

    for lines in cluster.lines() {
        lines.mend();
    }
    soon("a push", async || push(&api, "after", 8_000).await.map(drop)).await?;
    expect(api.get(&path).await?, 200).await?;
    soon("readiness", async || expect(api.get("/readyz").await?, 200).await.map(drop)).await
}
