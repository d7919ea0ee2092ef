//! Breaks in the middle: of the line, of the process.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use berth_engines::Link;

use super::old::{Auth, Old};
use super::push_image;
use crate::harness::{Home, Server, pull_whole};

/// Waits until uploads of the server hold this many bytes.
async fn wait_for_bytes(server: &Server, bytes: u64) -> Result<()> {
    let begin = Instant::now();
    loop {
        let mut held = 0;
        for entry in std::fs::read_dir(server.uploads_dir())?.flatten() {
            held += entry.metadata().map_or(0, |metadata| metadata.len());
        }
        if held >= bytes {
            return Ok(());
        }
        ensure!(begin.elapsed() < Duration::from_mins(1), "{held} of {bytes} bytes came in a minute");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits for the end of the import, and returns what it says of itself.
async fn wait_for_the_end(server: &Server) -> Result<String> {
    let begin = Instant::now();
    loop {
        let outcome = server.berth(&["import", "registry", "--status"]).await?;
        if outcome.text().contains("has ended") {
            return Ok(outcome.stdout);
        }
        if !outcome.success || begin.elapsed() > Duration::from_mins(1) {
            bail!("the import does not end: {}", outcome.text());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_blob_goes_on_where_the_line_broke() -> Result<()> {
    let home = Home::new()?;
    let old = Old::start(&home, None, Auth::Nobody).await?;
    let digest = push_image(&old.api()?, "big", "1", 1, 24 << 20).await?;
    let link = Link::to(old.address());
    link.throttle(12 << 20);
    let server = Server::open().await?;
    let url = format!("http://{}", link.address());
    server.succeeds(&["import", "registry", &url]).await?;
    wait_for_bytes(&server, 4 << 20).await?;
    link.drop_connections();
    wait_for_bytes(&server, 12 << 20).await?;
    link.drop_connections();
    ensure!(server.api()?.resolve("big", "1").await?.is_none(), "the tag is here before its bytes");
    link.mend();
    let text = wait_for_the_end(&server).await?;
    ensure!(text.contains("1 tags moved") && text.contains("2 transfers resumed"), "{text}");
    ensure!(pull_whole(&server.api()?, "big", "1").await? == digest);
    server.verify().await?;
    Ok(())
}

#[tokio::test]
async fn a_killed_server_goes_on_with_the_import_and_with_the_blob() -> Result<()> {
    let home = Home::new()?;
    let old = Old::start(&home, None, Auth::Nobody).await?;
    let there = old.api()?;
    let small = push_image(&there, "small", "1", 2, 3000).await?;
    let digest = push_image(&there, "big", "1", 1, 72 << 20).await?;
    let link = Link::to(old.address());
    link.throttle(24 << 20);
    let mut server = Server::open().await?;
    let url = format!("http://{}", link.address());
    server.succeeds(&["import", "registry", &url]).await?;
    // The first step is acknowledged, the second under way; and the row has said so.
    wait_for_bytes(&server, 60 << 20).await?;
    server.kill()?;
    link.mend();
    server.start().await?;
    let text = wait_for_the_end(&server).await?;
    ensure!(text.contains("1 transfers resumed") && text.contains("0 did not come in"), "{text}");
    let here = server.api()?;
    ensure!(
        pull_whole(&here, "big", "1").await? == digest && pull_whole(&here, "small", "1").await? == small
    );
    ensure!(server.upload_files()?.is_empty(), "{:?}", server.upload_files()?);
    server.verify().await?;
    Ok(())
}
