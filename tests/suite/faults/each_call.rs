//! Every system call by which a push changes the disk fails once: the push is refused or whole, never half.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::json;

use crate::harness::{Api, Home, Server, Trace, content, digest_of, manifest_of, upload_id};

const REPOSITORY: &str = "faulty/each";
const BLOB_BYTES: usize = 900_000;
const CALLS: &str = "write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,sync_file_range,ftruncate,fallocate,openat,mkdir,mkdirat,\
                     rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat";
/// Failures in one thread at most; pushes make fewer calls, and the loop ends where none is left to fail.
const AT_MOST: u32 = 60;

#[tokio::test]
async fn each_call_of_a_push_may_fail() -> Result<()> {
    let mut server = Server::open().await?;
    let home = Home::new()?;
    let api = server.api()?;
    let mut acknowledged = Vec::new();
    let mut failed = 0;
    for number in 1..=AT_MOST {
        let bytes = content(u64::from(number), BLOB_BYTES);
        let upload = api.start_upload(REPOSITORY).await?;
        let trace = attach(&server, &home, &upload, &digest_of(&bytes), number).await?;
        let pushed = push(&api, &upload, &bytes).await.with_context(|| format!("failure {number}"))?;
        let calls = trace.finish().await?;
        if !calls.iter().any(|call| call.result.contains("INJECTED")) {
            break;
        }
        failed += 1;
        ensure!(server.is_running()?, "failure {number} ended the server");
        acknowledged.extend(pushed.into_iter().flatten());
        check(&api, &acknowledged).await.with_context(|| format!("after failure {number}"))?;
    }
    println!("{failed} runs with a failure, {} acknowledged changes", acknowledged.len());
    ensure!((5..AT_MOST).contains(&failed), "{failed} runs had a failure");
    server.kill()?;
    server.start().await?;
    check(&server.api()?, &acknowledged).await.context("after a restart")?;
    server.verify().await?;
    server.scrub().await?;
    Ok(())
}

/// Makes the call of this number fail in each thread, of those that touch what this push touches.
async fn attach(server: &Server, home: &Home, upload: &str, digest: &str, number: u32) -> Result<Trace> {
    let (uploads, blobs, data) = (server.uploads_dir(), server.blobs_dir(), server.data_dir());
    let id = upload_id(upload);
    let hex = digest.trim_start_matches("sha256:");
    let fan_out = blobs.join("sha256").join(&hex[..2]);
    let paths = [
        uploads.join(id),
        uploads.join(format!("{id}.to")),
        uploads,
        fan_out.join(format!("{hex}.{id}")),
        fan_out,
        blobs.join("sha256"),
        data.join("catalog.db"),
        data.join("catalog.db-wal"),
    ];
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let (trace, inject) = (format!("trace={CALLS}"), format!("inject={CALLS}:error=EIO:when={number}"));
    let mut options = vec!["-e", &trace, "-e", &inject];
    options.extend(paths.iter().flat_map(|path| ["-P", path]));
    Trace::attach(server.pid()?, home.path(), &options).await
}

/// Pushes a blob and a manifest over it; hands back the paths that were acknowledged.
async fn push(api: &Api, upload: &str, bytes: &[u8]) -> Result<[Option<String>; 2]> {
    let digest = digest_of(bytes);
    let separator = if upload.contains('?') { '&' } else { '?' };
    let request = api.request(Method::PUT, &format!("{upload}{separator}digest={digest}"))?;
    let response = request.body(bytes.to_vec()).send().await?;
    if response.status() != 201 {
        ensure!(response.status().is_server_error(), "the blob: {}", response.status());
        return Ok([None, None]);
    }
    let config = json!({"mediaType": "application/vnd.example", "digest": digest, "size": bytes.len()});
    let manifest = manifest_of(&config, &[], &json!({}));
    let response = api.put_manifest(REPOSITORY, "latest", &manifest).await?;
    let taken = response.status() == 201;
    ensure!(taken || response.status().is_server_error(), "the manifest: {}", response.status());
    let path = |kind: &str, digest: &str| format!("{kind}/{digest}");
    Ok([Some(path("blobs", &digest)), taken.then(|| path("manifests", &digest_of(&manifest)))])
}

async fn check(api: &Api, acknowledged: &[String]) -> Result<()> {
    for path in acknowledged {
        match path.split_once('/') {
            Some(("blobs", digest)) => api.pull_blob(REPOSITORY, digest).await?,
            _ => api.pull_manifest(REPOSITORY, path.trim_start_matches("manifests/")).await?,
        };
    }
    Ok(())
}
