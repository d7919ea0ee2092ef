//! Power loss: the recorded system calls show that bytes and names were synced before the answer said so.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::harness::{Call, Home, Server, Trace, content, digest_of, manifest_of};

const CALLS: &str = "trace=write,pwrite64,writev,pwritev,pwritev2,fdatasync,fsync,sync_file_range,rename,renameat,renameat2,\
                     link,linkat,mkdir,mkdirat,sendto,sendmsg,copy_file_range,splice";
/// Longer than what the catalog keeps in a row, so that it becomes a file.
const BIG_BLOB_BYTES: usize = 3 << 20;

#[tokio::test]
async fn a_blob_is_synced_before_its_answer() -> Result<()> {
    let server = Server::open().await?;
    let home = Home::new()?;
    let api = server.api()?;
    let trace = Trace::attach(server.pid()?, home.path(), &["-e", CALLS]).await?;
    api.push_blob("durable/blob", &content(1, BIG_BLOB_BYTES)).await?;
    let calls = trace.finish().await?;

    let answer = answer(&calls, "HTTP/1.1 201")?;
    let (named, target) = naming(&calls, &server.blobs_dir())?;
    let source = named.strings()[0].to_owned();
    let written =
        last(&calls, named.begin, |call| is_write(call) && on_file(call, &source)).context("no write")?;
    let synced = first(&calls, written.end, |call| is_sync(call) && on_file(call, &source))
        .context("bytes not synced")?;
    ensure!(synced.end < named.begin, "named before its bytes were synced: {synced:?} {named:?}");

    let parent = Path::new(&target).parent().and_then(Path::to_str).context("no parent")?;
    let listed = first(&calls, named.end, |call| is_sync(call) && call.first_path() == Some(parent));
    let listed = listed.with_context(|| format!("{parent} not synced after {named:?}"))?;
    for made in made_directories(&calls, server.data_dir(), answer) {
        let above = Path::new(&made.1).parent().and_then(Path::to_str).context("no parent")?;
        let synced = first(&calls, made.0.end, |call| is_sync(call) && call.first_path() == Some(above));
        ensure!(
            synced.is_some_and(|call| call.end < answer.begin),
            "{above} not synced after making {}",
            made.1
        );
    }
    let committed = catalog_commit_before(&calls, answer)?;
    ensure!(listed.end < committed.begin, "the catalog told of a blob whose name was not synced");
    Ok(())
}

#[tokio::test]
async fn a_small_push_is_synced_before_its_answer() -> Result<()> {
    let server = Server::open().await?;
    let home = Home::new()?;
    let api = server.api()?;
    let small = content(2, 1000);
    let config =
        json!({"mediaType": "application/vnd.example", "digest": digest_of(&small), "size": small.len()});
    for step in ["blob", "manifest", "delete"] {
        let trace = Trace::attach(server.pid()?, home.path(), &["-e", CALLS]).await?;
        let status = match step {
            "blob" => api.push_blob_at_once("durable/small", &small).await.map(|_| "HTTP/1.1 201")?,
            "manifest" => {
                let manifest = manifest_of(&config, &[], &json!({}));
                api.push_manifest("durable/small", "1", &manifest).await.map(|_| "HTTP/1.1 201")?
            }
            _ => api.delete("/v2/durable/small/manifests/1").await.map(|_| "HTTP/1.1 202")?,
        };
        let calls = trace.finish().await?;
        catalog_commit_before(&calls, answer(&calls, status)?).with_context(|| step.to_owned())?;
    }
    Ok(())
}

/// An upload's chunk is acknowledged with an offset, which is a promise as well.
#[tokio::test]
async fn a_chunk_is_synced_before_its_answer() -> Result<()> {
    let server = Server::open().await?;
    let home = Home::new()?;
    let api = server.api()?;
    let upload = api.start_upload("durable/chunk").await?;
    let trace = Trace::attach(server.pid()?, home.path(), &["-e", CALLS]).await?;
    api.append(&upload, 0, content(3, BIG_BLOB_BYTES)).await?;
    let calls = trace.finish().await?;
    let answer = answer(&calls, "HTTP/1.1 202")?;
    let bytes = |call: &Call| call.first_path().is_some_and(|path| path.contains("/uploads/"));
    let written = last(&calls, answer.begin, |call| is_write(call) && bytes(call)).context("no write")?;
    let synced =
        first(&calls, written.end, |call| is_sync(call) && bytes(call)).context("bytes not synced")?;
    let committed = catalog_commit_before(&calls, answer)?;
    ensure!(synced.end < committed.begin, "the catalog told of bytes that were not synced");
    Ok(())
}

/// The write of the answer that begins so.
fn answer<'a>(calls: &'a [Call], begin: &str) -> Result<&'a Call> {
    let found = calls.iter().find(|call| call.strings().iter().any(|text| text.starts_with(begin)));
    found.with_context(|| format!("no answer {begin} among {} calls", calls.len()))
}

/// The call that gave a file of the store its final name, and that name.
fn naming<'a>(calls: &'a [Call], blobs: &Path) -> Result<(&'a Call, String)> {
    let blobs = blobs.display().to_string();
    for call in calls.iter().filter(|call| call.name.starts_with("rename") || call.name.starts_with("link")) {
        let target = call.strings().get(1).map(|name| absolute(call, name));
        if let Some(target) = target.filter(|target| target.starts_with(&blobs)) {
            return Ok((call, target));
        }
    }
    anyhow::bail!("nothing was named below {blobs}")
}

/// Completes a name relative to a directory descriptor, which `-y` shows as `7</dir>`.
fn absolute(call: &Call, name: &str) -> String {
    let before = call.arguments.split(&format!("\"{name}\"")).next().unwrap_or_default();
    let dir = before.rsplit_once('<').map_or("", |(_, rest)| rest.split('>').next().unwrap_or_default());
    if name.starts_with('/') { name.to_owned() } else { format!("{dir}/{name}") }
}

/// The sync of the catalog's log that ended last before the answer, with a write of it before.
fn catalog_commit_before<'a>(calls: &'a [Call], answer: &Call) -> Result<&'a Call> {
    let on_log = |call: &Call| call.first_path().is_some_and(|path| path.ends_with("/catalog.db-wal"));
    let committed = last(calls, answer.begin, |call| is_sync(call) && on_log(call))
        .context("the catalog was not synced")?;
    let written = last(calls, answer.begin, |call| is_write(call) && on_log(call))
        .context("the catalog was not written")?;
    ensure!(
        written.end < committed.begin,
        "the catalog was written after its last sync: {written:?} {committed:?}"
    );
    Ok(committed)
}

fn made_directories<'a>(calls: &'a [Call], data: &Path, answer: &Call) -> Vec<(&'a Call, String)> {
    let made = calls.iter().filter(|call| call.name.starts_with("mkdir") && call.succeeded());
    let made = made.filter_map(|call| Some((call, absolute(call, call.strings().first()?))));
    made.filter(|(call, path)| call.begin < answer.begin && Path::new(path).starts_with(data)).collect()
}

fn is_write(call: &Call) -> bool {
    ["write", "pwrite64", "writev", "pwritev", "pwritev2", "copy_file_range", "splice"]
        .contains(&call.name.as_str())
}

fn is_sync(call: &Call) -> bool {
    ["fsync", "fdatasync"].contains(&call.name.as_str()) && call.result == "0"
}

/// Whether the call's descriptor is this file; the name may be relative.
fn on_file(call: &Call, name: &str) -> bool {
    call.first_path().is_some_and(|path| path.ends_with(name.trim_start_matches("./")))
}

fn first(calls: &[Call], after: usize, wanted: impl Fn(&Call) -> bool) -> Option<&Call> {
    calls.iter().filter(|call| call.begin > after && wanted(call)).min_by_key(|call| call.begin)
}

fn last(calls: &[Call], before: usize, wanted: impl Fn(&Call) -> bool) -> Option<&Call> {
    calls.iter().filter(|call| call.end < before && wanted(call)).max_by_key(|call| call.end)
}
