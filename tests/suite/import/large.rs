//! One repository with more than fits into a bounded memory.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::peer::Peer;
use super::{push_image, wait_for_the_end};
use crate::harness::{Home, Server, digest_of, manifest_of, number_from_environment};

const MANIFESTS: u64 = 600;
const MANIFEST_BYTES: usize = 128 << 10;
/// The manifests alone have 75 MiB.
const MOST_BYTES: u64 = 48 << 20;

/// The most memory that a server ever had, in bytes.
fn peak(server: &Server) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()?))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}

/// 2,000 tags, or `BERTH_IMPORT_TAGS`.
#[tokio::test]
async fn a_repository_of_many_tags_is_never_in_memory() -> Result<()> {
    let tags = number_from_environment("BERTH_IMPORT_TAGS", 2000)?;
    let home = Home::new()?;
    let peer = Peer::start(&home).await?;
    push_image(&peer.api()?, "large/app", "first", 1).await?;
    let old = peer.stop().await?;
    let empty =
        json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b"{}"), "size": 2});
    let blob = old.blob(&digest_of(b"{}"));
    std::fs::create_dir_all(blob.parent().context("no parent")?)?;
    std::fs::write(&blob, b"{}")?;
    let mut digests = Vec::new();
    for seed in 0..MANIFESTS {
        let filling = json!({"seed": seed.to_string(), "filling": "x".repeat(MANIFEST_BYTES)});
        let manifest = manifest_of(&empty, &[], &filling);
        digests.push(digest_of(&manifest));
        old.plant("large/app", &format!("m{seed}"), &digest_of(&manifest), &manifest)?;
    }
    for (number, digest) in (0..tags - MANIFESTS).zip(digests.iter().cycle()) {
        old.tag("large/app", &format!("t{number}"), digest)?;
    }
    let server = Server::open().await?;
    server.api()?.get("/v2/").await?;
    let before = peak(&server)?;
    server.succeeds(&["import", &old.dir()]).await?;
    let told = wait_for_the_end(&server).await?;
    ensure!(told.contains(&format!("{} manifests and {} tags", MANIFESTS + 1, tags + 1)), "{told}");
    let grown = peak(&server)? - before;
    println!("{tags} tags of {MANIFESTS} manifests took {} MiB", grown >> 20);
    ensure!(grown < MOST_BYTES, "the import took {} MiB", grown >> 20);
    Ok(())
}
