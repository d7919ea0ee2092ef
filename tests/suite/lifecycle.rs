//! A server's life: it ends when asked, keeps others out of its directory, and what it leaves can be worked on without it.

mod read_only;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use crate::harness::{Server, content, digest_of, expect, manifest_of};

const REPOSITORY: &str = "life/cycle";

#[tokio::test]
async fn commands_work_beside_a_server_and_alone() -> Result<()> {
    let mut server = Server::open().await?;
    let api = server.api()?;
    let bytes = content(1, 50_000);
    let blob = api.push_blob(REPOSITORY, &bytes).await?;
    let config = json!({"mediaType": "application/vnd.example", "digest": blob, "size": bytes.len()});
    let kept = manifest_of(&config, &[], &json!({"which": "kept"}));
    api.push_manifest(REPOSITORY, "kept", &kept).await?;
    let garbage = api.push_blob(REPOSITORY, &content(2, 50_000)).await?;
    server.succeeds(&["gc", "--now", "--delay", "0s", "--dry-run"]).await?;
    api.pull_blob(REPOSITORY, &garbage).await?;
    let beside = server.events().await?;

    server.stop().await?;
    server.collect().await?;
    server.scrub().await?;
    server.verify().await?;
    ensure!(server.events().await? == beside, "the event log reads differently without the server");

    server.start().await?;
    let api = server.api()?;
    api.pull_blob(REPOSITORY, &blob).await?;
    ensure!(api.resolve(REPOSITORY, "kept").await? == Some(digest_of(&kept)), "the tag moved");
    expect(api.get(&format!("/v2/{REPOSITORY}/blobs/{garbage}")).await?, 404).await?;
    Ok(())
}

#[tokio::test]
async fn a_second_server_is_kept_out() -> Result<()> {
    let mut server = Server::open().await?;
    let second = server.berth(&["serve", "--listen", "127.0.0.1:0"]).await?;
    ensure!(!second.success && second.stderr.contains("in use by another"), "{}", second.text());
    ensure!(server.is_running()?, "the second server ended the first");
    server.api()?.push_blob(REPOSITORY, b"still here").await?;
    Ok(())
}

#[tokio::test]
async fn a_server_starts_and_ends_quickly() -> Result<()> {
    let mut server = Server::open().await?;
    server.stop().await?;
    for step in ["start", "stop"] {
        let begin = Instant::now();
        if step == "start" {
            server.start().await?;
        } else {
            server.stop().await?;
        }
        // Two cores also run other tests; bench/ measures what a start takes by itself.
        ensure!(begin.elapsed() < Duration::from_secs(5), "{step} took {:?}", begin.elapsed());
    }
    Ok(())
}
