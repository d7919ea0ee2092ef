//! Uploads that continued at the wrong place.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures_util::stream;
use reqwest::{Body, Method};

use crate::harness::{Api, Server, content, digest_of};

const REPOSITORY: &str = "peers/uploads";
const CHUNK: usize = 700_000;

/// distribution #2634: "wrong offset" after a connection was lost in the middle of a chunk, so that big layers began again from
/// zero. Here the status names the offset that counts, any other is refused with it, and the upload ends well.
#[tokio::test]
async fn distribution_2634_uploads_resume_where_the_server_says() -> Result<()> {
    let mut server = Server::open().await?;
    let whole = content(2634, 4 * CHUNK);
    let api = server.api()?;
    let upload = api.start_upload(REPOSITORY).await?;
    let upload = api.append(&upload, 0, whole[..CHUNK].to_vec()).await?;
    break_off(&api, &upload, &whole[CHUNK..2 * CHUNK]).await?;
    let offset = settled_offset(&api, &upload).await?;
    ensure!((CHUNK..2 * CHUNK).contains(&offset), "continues at {offset} after a chunk broke off past {CHUNK}");

    for wrong in [0, offset - 1, offset + 1, whole.len()] {
        let refused = chunk_at(&api, &upload, wrong, &whole[..100]).await?;
        ensure!(refused.status() == 416, "a chunk at {wrong} instead of {offset}: {}", refused.status());
    }
    ensure!(settled_offset(&api, &upload).await? == offset, "a refused chunk moved the offset");

    server.kill()?;
    server.start().await?;
    let api = server.api()?;
    let offset = settled_offset(&api, &upload).await.context("after kill -9")?;
    ensure!(offset >= CHUNK, "continues at {offset} after kill -9, acknowledged were {CHUNK}");
    let middle = offset + CHUNK;
    let upload = api.append(&upload, offset as u64, whole[offset..middle].to_vec()).await?;
    api.finish_upload(&upload, whole[middle..].to_vec(), &digest_of(&whole)).await?;
    api.pull_blob(REPOSITORY, &digest_of(&whole)).await?;
    Ok(())
}

/// Sends a chunk and loses the connection when about half of it has left.
async fn break_off(api: &Api, upload: &str, chunk: &[u8]) -> Result<()> {
    let half = Bytes::copy_from_slice(&chunk[..chunk.len() / 2]);
    let parts = stream::unfold(Some(half), async |part| match part {
        Some(part) => Some((Ok::<_, std::io::Error>(part), None)),
        None => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            None
        }
    });
    let request = api
        .request(Method::PATCH, upload)?
        .header("content-range", format!("{CHUNK}-{}", CHUNK + chunk.len() - 1))
        .header("content-length", chunk.len())
        .body(Body::wrap_stream(Box::pin(parts)));
    let broken = tokio::time::timeout(Duration::from_secs(1), request.send()).await;
    ensure!(broken.is_err(), "half a chunk was answered: {broken:?}");
    Ok(())
}

/// Offset of an upload once the server has noticed that the connection is gone.
async fn settled_offset(api: &Api, upload: &str) -> Result<usize> {
    for _ in 0..100 {
        let response = api.request(Method::GET, upload)?.send().await?;
        if response.status() == 204 {
            let offset = api.upload_offset(upload).await?.context("the upload is gone")?;
            return Ok(usize::try_from(offset)?);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("{upload} stays busy after its connection was lost")
}

async fn chunk_at(api: &Api, upload: &str, offset: usize, chunk: &[u8]) -> Result<reqwest::Response> {
    let range = format!("{offset}-{}", offset + chunk.len() - 1);
    let request = api.request(Method::PATCH, upload)?.header("content-range", range);
    Ok(request.body(chunk.to_vec()).send().await?)
}
