//! A client that pushes, chunks, tags and deletes until its server is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::ledger::{Change, Ledger, Upload};
use crate::harness::{Api, Random, content, digest_of, expect, is_outage, manifest_of};

/// Seeds of content that all clients push, so that equal digests meet.
const SHARED_SEEDS: u64 = 30;
const TAGS: u64 = 6;
/// Bytes that a client pushes in one life of a server at most, so that many rounds fit on a disk.
const BYTES_PER_LIFE: u64 = 6 << 20;

pub(crate) struct Client {
    pub(super) repository: String,
    pub(super) ledger: Ledger,
    pub(super) random: Random,
    number: u64,
    serial: u64,
    bytes_left: u64,
}

impl Client {
    pub(super) fn new(number: u64, random: Random) -> Self {
        let repository = format!("crash/client-{number}");
        Self { repository, ledger: Ledger::default(), random, number, serial: 0, bytes_left: 0 }
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.ledger.acknowledged
    }

    /// Works until the server is killed; anything else that goes wrong is a failure.
    pub(super) async fn work(mut self, api: Api, killed: Arc<AtomicBool>) -> Result<Self> {
        self.bytes_left = BYTES_PER_LIFE;
        loop {
            if killed.load(Ordering::SeqCst) {
                return Ok(self);
            }
            let Err(error) = self.step(&api).await else { continue };
            if is_outage(&error) && killed.load(Ordering::SeqCst) {
                return Ok(self);
            }
            return Err(error.context(format!("client {} of a living server", self.number)));
        }
    }

    async fn step(&mut self, api: &Api) -> Result<()> {
        match self.random.between(0, 100) {
            0..25 => self.push_blob(api).await,
            25..45 => self.push_in_chunks(api).await,
            45..85 => self.push_manifest(api).await,
            85..93 => self.delete_tag(api).await,
            _ => self.delete_manifest(api).await,
        }
    }

    async fn push_blob(&mut self, api: &Api) -> Result<()> {
        let (seed, size) = self.choose_content();
        let bytes = content(seed, size);
        self.ledger.ask(Change::PushBlob { digest: digest_of(&bytes), size: bytes.len() as u64 });
        if self.random.chance(50) {
            api.push_blob(&self.repository, &bytes).await?;
        } else {
            api.push_blob_at_once(&self.repository, &bytes).await?;
        }
        self.ledger.took_place();
        Ok(())
    }

    async fn push_in_chunks(&mut self, api: &Api) -> Result<()> {
        let (seed, _) = self.choose_content();
        let size = self.size(20_000, 1_500_000);
        let location = api.start_upload(&self.repository).await?;
        self.ledger.uploads.push(Upload { location, seed, size, acknowledged: 0, sent: 0, finishing: false });
        let chunks = self.random.between(1, 6);
        for _ in 0..chunks {
            self.append(api, self.ledger.uploads.len() - 1).await?;
        }
        // Now and then an upload is left as it is, to be continued after the crash.
        if self.random.chance(70) {
            self.finish(api, self.ledger.uploads.len() - 1).await?;
        }
        Ok(())
    }

    /// Sends a chunk of random length.
    async fn append(&mut self, api: &Api, index: usize) -> Result<()> {
        let upload = &mut self.ledger.uploads[index];
        let rest = upload.size as u64 - upload.acknowledged;
        if rest < 2 {
            return Ok(());
        }
        let end = upload.acknowledged + self.random.between(2, rest + 1);
        let whole = content(upload.seed, upload.size);
        let chunk = whole[usize::try_from(upload.acknowledged)?..usize::try_from(end)?].to_vec();
        upload.sent = end;
        let location = api.append(&upload.location.clone(), upload.acknowledged, chunk).await?;
        let upload = &mut self.ledger.uploads[index];
        upload.location = location;
        upload.acknowledged = end;
        Ok(())
    }

    /// Ends an upload with whatever is missing.
    pub(super) async fn finish(&mut self, api: &Api, index: usize) -> Result<()> {
        let upload = &mut self.ledger.uploads[index];
        let whole = content(upload.seed, upload.size);
        let digest = digest_of(&whole);
        let rest = whole[usize::try_from(upload.acknowledged)?..].to_vec();
        upload.sent = whole.len() as u64;
        upload.finishing = true;
        let location = upload.location.clone();
        self.ledger.ask(Change::PushBlob { digest: digest.clone(), size: whole.len() as u64 });
        api.finish_upload(&location, rest, &digest).await?;
        self.ledger.took_place();
        self.ledger.uploads.remove(index);
        Ok(())
    }

    /// Pushes a manifest that never was before, over blobs that were acknowledged.
    async fn push_manifest(&mut self, api: &Api) -> Result<()> {
        let Some(config) = self.any_blob() else { return Ok(()) };
        let layers: Vec<Value> = (0..self.random.between(0, 4)).filter_map(|_| self.any_blob()).collect();
        self.serial += 1;
        let annotations = json!({"serial": format!("{}-{}", self.number, self.serial)});
        let manifest = manifest_of(&config, &layers, &annotations);
        let digest = digest_of(&manifest);
        let tag = self.random.chance(70).then(|| format!("t{}", self.random.between(0, TAGS)));
        let reference = tag.clone().unwrap_or_else(|| digest.clone());
        self.ledger.ask(Change::PushManifest { digest, tag });
        api.push_manifest(&self.repository, &reference, &manifest)
            .await
            .context("over acknowledged blobs")?;
        self.ledger.took_place();
        Ok(())
    }

    async fn delete_tag(&mut self, api: &Api) -> Result<()> {
        let tags: Vec<&String> = self.ledger.tags.keys().collect();
        let Some(tag) = self.random.choose(&tags).map(|tag| (*tag).clone()) else { return Ok(()) };
        self.ledger.ask(Change::DeleteTag { tag: tag.clone() });
        self.delete(api, &tag).await
    }

    async fn delete_manifest(&mut self, api: &Api) -> Result<()> {
        let manifests: Vec<&String> = self.ledger.manifests.iter().collect();
        let Some(digest) = self.random.choose(&manifests).map(|digest| (*digest).clone()) else {
            return Ok(());
        };
        self.ledger.ask(Change::DeleteManifest { digest: digest.clone() });
        self.delete(api, &digest).await
    }

    async fn delete(&mut self, api: &Api, reference: &str) -> Result<()> {
        expect(api.delete(&format!("/v2/{}/manifests/{reference}", self.repository)).await?, 202).await?;
        self.ledger.took_place();
        Ok(())
    }

    /// Descriptor of a blob that was acknowledged.
    fn any_blob(&mut self) -> Option<Value> {
        let blobs: Vec<_> = self.ledger.blobs.iter().collect();
        let (digest, size) = self.random.choose(&blobs)?;
        Some(json!({"mediaType": "application/vnd.example.bytes", "digest": digest, "size": size}))
    }

    /// Seed and size of the next blob: often one that other clients push too.
    fn choose_content(&mut self) -> (u64, usize) {
        if self.random.chance(30) {
            let seed = self.random.between(0, SHARED_SEEDS);
            return (seed, usize::try_from(seed * seed * 300).unwrap_or_default());
        }
        let largest = if self.random.chance(70) { 16_000 } else { 400_000 };
        (self.random.next(), self.size(2, largest))
    }

    /// A size for the next blob, within what this life of the server may still take.
    fn size(&mut self, from: u64, to: u64) -> usize {
        let size = self.random.between(from, to).min(self.bytes_left.max(1000));
        self.bytes_left = self.bytes_left.saturating_sub(size);
        usize::try_from(size).unwrap_or_default()
    }
}
