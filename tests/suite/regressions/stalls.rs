//! Maintenance that stopped the world.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::harness::{Api, Server, content, digest_of, manifest_of};

const REPOSITORY: &str = "peers/stalls";
const IMAGES: u64 = 600;
/// Longest that one push may take beside maintenance, on two cores that also run other tests.
const PATIENCE: Duration = Duration::from_secs(5);

/// zot #4349: a walk of the store at start-up and the collection of garbage held a lock, and pushes stood still.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zot_4349_start_up_and_collection_do_not_stall_pushes() -> Result<()> {
    let mut server = Server::open().await?;
    fill(&server.api()?).await?;
    server.kill()?;
    let begin = Instant::now();
    server.start().await?;
    let api = server.api()?;
    push(&api, 1_000_000).await?;
    ensure!(begin.elapsed() < PATIENCE, "the first push after a start ended after {:?}", begin.elapsed());

    for number in (0..IMAGES).step_by(2) {
        api.delete(&format!("/v2/{REPOSITORY}/manifests/t{number}")).await?;
    }
    let collecting = server.collect();
    tokio::pin!(collecting);
    let mut slowest = Duration::ZERO;
    let mut number = 2_000_000;
    loop {
        let begin = Instant::now();
        let pushed = push(&api, number);
        tokio::select! {
            ended = &mut collecting => { ended?; break }
            pushed = pushed => pushed?,
        }
        slowest = slowest.max(begin.elapsed());
        number += 1;
    }
    ensure!(slowest < PATIENCE, "a push beside collection took {slowest:?}");
    Ok(())
}

async fn fill(api: &Api) -> Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for lane in 0..8 {
        let api = api.clone();
        tasks.spawn(async move {
            for number in (lane..IMAGES).step_by(8) {
                push(&api, number).await?;
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    while let Some(lane) = tasks.join_next().await {
        lane??;
    }
    Ok(())
}

/// Pushes an image of one blob, which alternately lies in the catalog and in a file.
async fn push(api: &Api, number: u64) -> Result<()> {
    let bytes = content(number, if number.is_multiple_of(2) { 2_000 } else { 40_000 });
    for _ in 0..20 {
        let digest = api.push_blob_at_once(REPOSITORY, &bytes).await?;
        let config = json!({"mediaType": "application/vnd.example", "digest": digest, "size": bytes.len()});
        let manifest = manifest_of(&config, &[], &json!({"number": digest_of(&bytes)}));
        let response = api.put_manifest(REPOSITORY, &format!("t{number}"), &manifest).await?;
        // Collection without delay may have taken the blob before the manifest named it.
        if response.status() == 201 {
            return Ok(());
        }
        let text = response.text().await?;
        ensure!(text.contains("BLOB_UNKNOWN"), "{text}");
    }
    Err(anyhow::anyhow!("collection took the blob each time")).context(number)
}
