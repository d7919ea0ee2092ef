//! A disk that fails a system call here and there, by strace's injection.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::json;

use crate::harness::{Api, Home, Server, Trace, content, digest_of, manifest_of, upload_id};

/// Every third sync fails, of bytes, directories and the catalog alike.
#[tokio::test]
async fn failing_syncs_acknowledge_nothing_lost() -> Result<()> {
    let inject =
        ["-e", "trace=fsync,fdatasync,sync_file_range", "-e", "inject=fsync,fdatasync:error=EIO:when=3+3"];
    survive("sync", &inject).await
}

/// Every fourth positioned write fails; the catalog writes so.
#[tokio::test]
async fn failing_writes_acknowledge_nothing_lost() -> Result<()> {
    survive("write", &["-e", "trace=pwrite64", "-e", "inject=pwrite64:error=EIO:when=4+4"]).await
}

/// Pushes under injected errors, then without, then after a restart: what was acknowledged must be served at every stage.
async fn survive(name: &str, inject: &[&str]) -> Result<()> {
    let mut server = Server::open().await?;
    let home = Home::new()?;
    let api = server.api()?;
    let repository = format!("faulty/{name}");
    let mut acknowledged = Vec::new();
    push_some(&api, &repository, 0, &mut acknowledged).await?;
    let healthy = acknowledged.len();
    ensure!(healthy == PUSHES, "{healthy} of {PUSHES} pushes were taken before any fault");

    let trace = Trace::attach(server.pid()?, home.path(), inject).await?;
    push_some(&api, &repository, 1000, &mut acknowledged).await?;
    let injected = trace.finish().await?.iter().filter(|call| call.result.contains("INJECTED")).count();
    ensure!(injected > 0, "no fault was injected");
    ensure!(server.is_running()?, "{injected} faults ended the server");

    check(&api, &repository, &acknowledged).await.context("beside the faults")?;
    server.kill()?;
    server.start().await?;
    let api = server.api()?;
    check(&api, &repository, &acknowledged).await.context("after a restart")?;
    let before = acknowledged.len();
    push_some(&api, &repository, 2000, &mut acknowledged).await?;
    ensure!(acknowledged.len() == before + PUSHES, "pushes still fail when the disk is well again");
    check(&api, &repository, &acknowledged).await?;
    ensure!(server.upload_files()?.is_empty(), "files left: {:?}", server.upload_files()?);
    server.verify().await?;
    Ok(())
}

const PUSHES: usize = 24;

/// What an answer promised: a blob, and the manifest over it if that was taken too.
struct Promise {
    blob: String,
    manifest: Option<String>,
}

/// Pushes blobs of several sizes and manifests over them; notes what was acknowledged.
async fn push_some(api: &Api, repository: &str, seed: u64, acknowledged: &mut Vec<Promise>) -> Result<()> {
    for number in 0..PUSHES {
        let size = [900, 40_000, 700_000][number % 3];
        let bytes = content(seed + number as u64, size);
        let blob = digest_of(&bytes);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={blob}");
        let response = api.request(Method::POST, &path)?.body(bytes).send().await?;
        if response.status() != 201 {
            ensure!(response.status().is_server_error(), "a fault became {}", response.status());
            continue;
        }
        let config = json!({"mediaType": "application/vnd.example", "digest": blob, "size": size});
        let manifest = manifest_of(&config, &[], &json!({}));
        let response = api.put_manifest(repository, &format!("t{seed}-{number}"), &manifest).await?;
        let taken = response.status() == 201;
        ensure!(taken || response.status().is_server_error(), "a fault became {}", response.status());
        acknowledged.push(Promise { blob, manifest: taken.then(|| digest_of(&manifest)) });
    }
    Ok(())
}

async fn check(api: &Api, repository: &str, acknowledged: &[Promise]) -> Result<()> {
    for promise in acknowledged {
        api.pull_blob(repository, &promise.blob).await?;
        if let Some(manifest) = &promise.manifest {
            api.pull_manifest(repository, manifest).await?;
        }
    }
    Ok(())
}

/// The upload's own file fails in the middle; the client continues where the server says.
#[tokio::test]
async fn an_upload_continues_after_a_failed_write() -> Result<()> {
    let server = Server::open().await?;
    let home = Home::new()?;
    let api = server.api()?;
    let whole = content(7, 20 << 20);
    // Past the first megabytes bytes are written with a call of their own.
    let (one, two) = whole.split_at(18 << 20);
    let upload = api.start_upload("faulty/upload").await?;
    let upload = api.append(&upload, 0, one.to_vec()).await?;

    let file = server.uploads_dir().join(upload_id(&upload)).display().to_string();
    let inject = "inject=write,pwrite64,writev,pwritev,pwritev2:error=EIO";
    let trace = Trace::attach(
        server.pid()?,
        home.path(),
        &["-P", &file, "-e", "trace=write,pwrite64,writev,pwritev,pwritev2", "-e", inject],
    )
    .await?;
    let refused = api.append(&upload, one.len() as u64, two.to_vec()).await;
    let calls = trace.finish().await?;
    ensure!(calls.iter().any(|call| call.result.contains("INJECTED")), "no fault was injected into {file}");
    ensure!(refused.is_err(), "a chunk that failed to be written was acknowledged");

    let offset = api.upload_offset(&upload).await?.context("the upload is gone")?;
    ensure!(offset == one.len() as u64, "continues at {offset}, acknowledged were {}", one.len());
    api.finish_upload(&upload, two.to_vec(), &digest_of(&whole)).await?;
    api.pull_blob("faulty/upload", &digest_of(&whole)).await?;
    Ok(())
}
