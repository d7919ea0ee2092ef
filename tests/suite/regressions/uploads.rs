//! Uploads that continued at the wrong place.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Method;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

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
    break_off(&server, &upload, &whole[CHUNK..2 * CHUNK]).await?;
    let offset = settled_offset(&api, &upload).await?;
    ensure!(
        (CHUNK..2 * CHUNK).contains(&offset),
        "continues at {offset} after a chunk broke off past {CHUNK}"
    );

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

/// Sends a chunk and loses the connection when half of it has left.
async fn break_off(server: &Server, upload: &str, chunk: &[u8]) -> Result<()> {
    let (host, last) = (server.host(), CHUNK + chunk.len() - 1);
    let mut connection = TcpStream::connect(host).await?;
    let head = format!(
        "PATCH {upload} HTTP/1.1\r\nHost: {host}\r\nContent-Range: {CHUNK}-{last}\r\nContent-Length: {}\r\n\r\n",
        chunk.len()
    );
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(&chunk[..chunk.len() / 2]).await?;
    connection.flush().await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    Ok(())
}

/// Offset of an upload once nobody else writes to it any more.
async fn settled_offset(api: &Api, upload: &str) -> Result<usize> {
    for _ in 0..100 {
        if chunk_at(api, upload, 0, b"wrong").await?.status() != 409 {
            let offset = api.upload_offset(upload).await?.context("the upload is gone")?;
            return Ok(usize::try_from(offset)?);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("{upload} stays busy after its connection was lost")
}

async fn chunk_at(api: &Api, upload: &str, offset: usize, chunk: &[u8]) -> Result<reqwest::Response> {
    let range = format!("{offset}-{}", offset + chunk.len() - 1);
    let request = api.request(Method::PATCH, upload)?.header("content-range", range);
    Ok(request.body(chunk.to_vec()).send().await?)
}
