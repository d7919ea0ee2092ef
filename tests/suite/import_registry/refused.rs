//! What does not come, and what that leaves.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::old::{Auth, Old};
use super::push_image;
use crate::harness::{Home, Server, pull_whole};

#[tokio::test]
async fn bytes_that_are_not_what_they_should_be_move_no_tag() -> Result<()> {
    let home = Home::new()?;
    let old = Old::start(&home, None, Auth::Nobody).await?;
    let there = old.api()?;
    let good = push_image(&there, "app", "good", 1, 20_000).await?;
    let bad = push_image(&there, "app", "bad", 2, 20_000).await?;
    let manifest: Value = serde_json::from_slice(&there.pull_manifest("app", "bad").await?)?;
    let file = old.blob(manifest["layers"][0]["digest"].as_str().context("no layer")?);
    let right = std::fs::read(&file)?;
    std::fs::write(&file, vec![7; right.len()])?;

    let server = Server::open().await?;
    let here = server.api()?;
    let all = ["import", "registry", &old.url(), "--now"];
    let outcome = server.berth(&all).await?;
    ensure!(!outcome.success, "{}", outcome.text());
    ensure!(outcome.stdout.contains("app:bad: content has digest"), "{}", outcome.text());
    ensure!(
        outcome.stdout.contains("1 tags moved, 0 were here already, 1 did not come in"),
        "{}",
        outcome.text()
    );
    ensure!(pull_whole(&here, "app", "good").await? == good);
    ensure!(here.resolve("app", "bad").await?.is_none(), "a tag moved without its blobs");

    // A manifest that lies is refused by its digest.
    let lying = old.blob(&good);
    let manifest = std::fs::read(&lying)?;
    std::fs::write(&file, right)?;
    std::fs::write(&lying, [&manifest[..], b" "].concat())?;
    push_image(&there, "app", "bad", 2, 20_000).await?;
    let other = Server::open().await?;
    let outcome = other.berth(&all).await?;
    ensure!(!outcome.success && outcome.stdout.contains("app:good"), "{}", outcome.text());
    ensure!(other.api()?.resolve("app", "good").await?.is_none());
    ensure!(pull_whole(&other.api()?, "app", "bad").await? == bad);
    std::fs::write(&lying, manifest)?;

    // What failed comes with the next run.
    let text = server.succeeds(&all).await?;
    ensure!(text.contains("1 tags moved, 1 were here already, 0 did not come in"), "{text}");
    ensure!(pull_whole(&here, "app", "bad").await? == bad);
    server.verify().await?;
    Ok(())
}

#[tokio::test]
async fn orders_that_can_not_work_are_refused_at_once() -> Result<()> {
    let server = Server::open().await?;
    let nobody = format!("http://127.0.0.1:{}", berth_engines::free_port());
    for (arguments, reason) in [
        (&["http://old.example.com"][..], "--plain-http"),
        (&["https://me:secret@old.example.com"], "holds credentials"),
        (&["https://old.example.com", "--tag", "a[b"], "pattern"),
        (&["https://old.example.com", "--ca-file", "/nowhere"], "can't be read"),
        (&[&nobody, "--now", "--repository", "x"], "can't be reached"),
    ] {
        let outcome = server.berth(&[&["import", "registry"], arguments].concat()).await?;
        ensure!(!outcome.success && outcome.text().contains(reason), "{arguments:?}: {}", outcome.text());
        ensure!(!outcome.text().contains("secret@"), "{}", outcome.text());
    }
    server.succeeds(&["read-only", "on"]).await?;
    let outcome = server.berth(&["import", "registry", "https://old.example.com"]).await?;
    ensure!(!outcome.success && outcome.text().contains("read-only"), "{}", outcome.text());
    server.succeeds(&["read-only", "off"]).await?;
    let text = server.succeeds(&["import", "registry", "--cancel"]).await?;
    ensure!(text.contains("no import is under way"), "{text}");
    Ok(())
}
