//! Uploads whose requests meet different servers, also when the one that began them is gone.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::harness::{Api, Cluster, content, digest_of};

const REPOSITORY: &str = "cluster/sessions";
/// Longest that a server that does not answer may keep an upload to itself.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(45);

/// The path of a location, which leads to whatever server a client is sent to.
fn path(location: &str) -> &str {
    let after_scheme = location.split_once("://").map(|(_, rest)| rest);
    after_scheme.and_then(|rest| Some(&rest[rest.find('/')?..])).unwrap_or(location)
}

/// Sends the next chunk to one server; hands back the path for what follows.
async fn append(api: &Api, upload: &str, whole: &[u8], from: usize, to: usize) -> Result<String> {
    let offset = api.upload_offset(upload).await?.context("the upload is unknown")?;
    ensure!(offset == from as u64, "{upload} is at {offset}, not at {from}");
    Ok(path(&api.append(upload, from as u64, whole[from..to].to_vec()).await?).to_owned())
}

/// From a few bytes that lie in the catalog to several parts of the object store.
#[tokio::test]
async fn an_upload_wanders_from_server_to_server() -> Result<()> {
    let cluster = Cluster::start().await?;
    let apis = [cluster.node(0).api()?, cluster.node(1).api()?, cluster.node(2).api()?];
    for size in [900, 200_000, 13 << 20] {
        let whole = content(size as u64, size);
        let upload = apis[0].start_upload(REPOSITORY).await?;
        let mut upload = path(&upload).to_owned();
        let chunks = 7;
        for chunk in 0..chunks {
            let (from, to) = (size * chunk / (chunks + 1), size * (chunk + 1) / (chunks + 1));
            upload = append(&apis[(chunk + 1) % 3], &upload, &whole, from, to)
                .await
                .with_context(|| format!("chunk {chunk} of {size} bytes"))?;
        }
        let rest = whole[size * chunks / (chunks + 1)..].to_vec();
        apis[2].finish_upload(&upload, rest, &digest_of(&whole)).await?;
        for api in &apis {
            let pulled = api.pull_blob(REPOSITORY, &digest_of(&whole)).await?;
            ensure!(pulled == whole, "{size} bytes came back changed");
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_upload_outlives_the_server_that_began_it() -> Result<()> {
    let mut cluster = Cluster::start().await?;
    let whole = content(77, 11 << 20);
    let third = whole.len() / 3;
    let first = cluster.node(0).api()?;
    let upload = path(&first.start_upload(REPOSITORY).await?).to_owned();
    let upload = append(&first, &upload, &whole, 0, third).await?;
    cluster.node_mut(0).kill()?;
    let second = cluster.node(1).api()?;
    let upload = append(&second, &upload, &whole, third, 2 * third).await.context("after the kill")?;
    cluster.node_mut(1).kill()?;
    // The balancer may not know yet who is gone.
    let third_api = cluster.node(2).api()?;
    third_api.finish_upload(&upload, whole[2 * third..].to_vec(), &digest_of(&whole)).await?;
    third_api.pull_blob(REPOSITORY, &digest_of(&whole)).await?;
    cluster.heal().await?;
    first_again(&cluster, &digest_of(&whole)).await
}

/// A server that stood still in the middle of a chunk wakes when another has gone on: what it brings is too late.
#[tokio::test]
async fn a_late_chunk_changes_nothing() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (sleeper, other) = (cluster.node(0), cluster.node(1).api()?);
    for size in [60_000, 12 << 20] {
        let whole = content(size as u64, size);
        let third = size / 3;
        let upload = path(&other.start_upload(REPOSITORY).await?).to_owned();
        let upload = append(&sleeper.api()?, &upload, &whole, 0, third).await?;

        let wrong = content(1, third);
        let mut late = TcpStream::connect(sleeper.host()).await?;
        let (host, last) = (sleeper.host(), 2 * third - 1);
        let head = format!(
            "PATCH {upload} HTTP/1.1\r\nHost: {host}\r\nContent-Range: {third}-{last}\r\nContent-Length: {third}\r\n\r\n"
        );
        late.write_all(head.as_bytes()).await?;
        late.write_all(&wrong[..third / 2]).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        sleeper.signal("STOP").await?;

        let went_on = go_on(&other, &upload, &whole, third, 2 * third).await;
        sleeper.signal("CONT").await?;
        let upload = went_on.with_context(|| format!("{size} bytes, beside a server that stands still"))?;
        // Whether it still takes them is its own affair.
        let _ = late.write_all(&wrong[third / 2..]).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let offset = other.upload_offset(&upload).await?;
        ensure!(
            offset == Some(2 * third as u64),
            "{size} bytes: at {offset:?} after a late chunk, not {}",
            2 * third
        );
        other.finish_upload(&upload, whole[2 * third..].to_vec(), &digest_of(&whole)).await?;
        other.pull_blob(REPOSITORY, &digest_of(&whole)).await?;
    }
    Ok(())
}

/// Sends a chunk that another server may still be writing, until it is taken.
async fn go_on(api: &Api, upload: &str, whole: &[u8], from: usize, to: usize) -> Result<String> {
    let begin = Instant::now();
    loop {
        match append(api, upload, whole, from, to).await {
            Ok(upload) => return Ok(upload),
            Err(error) if begin.elapsed() > GIVEN_UP_AFTER => bail!("{upload} can't be continued: {error:#}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

/// A server that was killed serves what came in while it was away.
async fn first_again(cluster: &Cluster, digest: &str) -> Result<()> {
    for node in cluster.nodes() {
        node.api()?.pull_blob(REPOSITORY, digest).await?;
    }
    cluster.node(0).verify().await?;
    Ok(())
}
