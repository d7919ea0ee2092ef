//! A data directory on a file system that runs full.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, Home, Server, Setup, content, digest_of, expect, manifest_of};

const DISK: &str = "48m";
const BLOB_BYTES: usize = 4 << 20;

#[tokio::test]
async fn a_full_disk_is_said_and_survived() -> Result<()> {
    let home = Home::new()?;
    let disk = Disk::mount(home.path())?;
    let mut server = Setup::default().in_dir(&disk.0.join("data")).start().await?;
    let api = server.api()?;
    let first = push_tagged(&api, 0).await?;
    let mut stored = vec![first.clone()];
    let refusal = loop {
        let bytes = content(100 + stored.len() as u64, BLOB_BYTES);
        match try_push(&api, &bytes).await? {
            None => stored.push(digest_of(&bytes)),
            Some(refusal) => break refusal,
        }
        ensure!(stored.len() < 40, "a disk of {DISK} took {} blobs of 4 MiB", stored.len());
    };
    ensure!(refusal["errors"][0]["code"].is_string(), "not the specification's error: {refusal}");

    for digest in &stored {
        api.pull_blob("full/disk", digest).await?;
    }
    api.pull_manifest("full/disk", "t0").await?;
    refuse_to_the_brim(&api).await?;
    ensure!(server.is_running()?, "the server ended when the disk was full");
    no_litter(&server).await?;

    // Space comes back, and with it pushes, once the server looks at the disk again.
    disk.grow("160m")?;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    push_tagged(&api, 1).await?;
    server.kill()?;
    server.start().await?;
    let api = server.api()?;
    for digest in &stored {
        api.pull_blob("full/disk", digest).await?;
    }
    no_litter(&server).await?;
    server.verify().await?;
    Ok(())
}

/// Pushes one blob and a manifest over it.
async fn push_tagged(api: &Api, number: u64) -> Result<String> {
    let bytes = content(number, BLOB_BYTES);
    let digest = api.push_blob("full/disk", &bytes).await?;
    let config = json!({"mediaType": "application/vnd.example", "digest": digest, "size": bytes.len()});
    api.push_manifest("full/disk", &format!("t{number}"), &manifest_of(&config, &[], &json!({}))).await?;
    Ok(digest)
}

/// Pushes a blob; hands back the refusal of a full disk.
async fn try_push(api: &Api, bytes: &[u8]) -> Result<Option<Value>> {
    let path = format!("/v2/full/disk/blobs/uploads/?digest={}", digest_of(bytes));
    let response = api.request(Method::POST, &path)?.body(bytes.to_vec()).send().await?;
    if response.status() == 201 {
        return Ok(None);
    }
    Ok(Some(expect(response, 507).await?.json().await?))
}

/// Fills what is left with small blobs, down to where the catalog itself finds no room, and reads meanwhile.
async fn refuse_to_the_brim(api: &Api) -> Result<()> {
    let mut refused = 0;
    for number in 0..4000 {
        let bytes = content(10_000 + number, 12_000);
        if try_push(api, &bytes).await?.is_some() {
            refused += 1;
            api.pull_manifest("full/disk", "t0").await?;
        }
        if refused == 5 {
            return Ok(());
        }
    }
    bail!("the disk never ran full of small blobs")
}

/// Fails if refused pushes left bytes behind.
async fn no_litter(server: &Server) -> Result<()> {
    for _ in 0..50 {
        if server.upload_files()?.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    bail!("refused pushes left {:?}", server.upload_files()?)
}

/// A file system in memory of a size that can be reached.
struct Disk(PathBuf);

impl Disk {
    fn mount(dir: &Path) -> Result<Self> {
        let dir = dir.join("disk");
        std::fs::create_dir_all(&dir)?;
        run("mount", &["-t", "tmpfs", "-o", &format!("size={DISK}"), "tmpfs", &dir.display().to_string()])?;
        Ok(Self(dir))
    }

    fn grow(&self, size: &str) -> Result<()> {
        run("mount", &["-o", &format!("remount,size={size}"), &self.0.display().to_string()])
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Detaches at once and frees the memory when the server has closed its files.
        let _ = run("umount", &["-l", &self.0.display().to_string()]);
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let status = std::process::Command::new(program).args(arguments).status()?;
    ensure!(status.success(), "{program} {}: {status}; the tests need root", arguments.join(" "));
    Ok(())
}
