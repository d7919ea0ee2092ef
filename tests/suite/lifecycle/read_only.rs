//! Read-only mode, by command and by configuration.

use std::time::Duration;

use anyhow::{Result, ensure};
use reqwest::Method;

use super::REPOSITORY;
use crate::harness::{Server, Setup, expect};

#[tokio::test]
async fn read_only_mode_reaches_a_running_server_and_outlives_it() -> Result<()> {
    let mut server = Server::open().await?;
    let blob = server.api()?.push_blob(REPOSITORY, b"before").await?;
    let said = server.succeeds(&["read-only", "on"]).await?;
    ensure!(said.starts_with("read-only since "), "{said}");
    for restarts in 0..2 {
        let api = server.api()?;
        expect(api.request(Method::POST, &format!("/v2/{REPOSITORY}/blobs/uploads/"))?.send().await?, 405)
            .await?;
        ensure!(api.pull_blob(REPOSITORY, &blob).await? == b"before", "restarts: {restarts}");
        let refused = server.berth(&["gc", "--now"]).await?;
        ensure!(!refused.success && refused.stderr.contains("berth read-only off"), "{}", refused.text());
        server.stop().await?;
        server.start().await?;
    }
    ensure!(server.succeeds(&["read-only", "status"]).await? == said, "the status tells another story");
    server.succeeds(&["read-only", "off"]).await?;
    server.api()?.push_blob(REPOSITORY, b"after").await?;
    server.collect().await?;
    Ok(())
}

/// Nothing but another configuration ends it.
#[tokio::test]
async fn read_only_by_configuration_stays() -> Result<()> {
    let server = Setup::default().with_config("access:\n  read_only: true").start().await?;
    server.succeeds(&["read-only", "off"]).await?;
    let api = server.api()?;
    for _ in 0..2 {
        expect(api.request(Method::POST, &format!("/v2/{REPOSITORY}/blobs/uploads/"))?.send().await?, 405)
            .await?;
        // Longer than it takes to follow what the catalog says.
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    Ok(())
}
