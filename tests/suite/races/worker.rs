//! A client that owns one repository and checks at each step that it has what it was promised.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, Random, content, digest_of, expect, manifest_of};

/// Blobs that all workers push; some lie in the catalog's rows, some in files.
const BLOBS: u64 = 8;
/// Tries of one image; collection without any delay may take an unreferenced blob again and again.
const TRIES: u32 = 50;

pub(super) struct Worker {
    repository: String,
    number: u64,
    workers: u64,
    random: Random,
    api: Api,
    /// Tag to manifest and the seeds of its blobs.
    images: BTreeMap<String, (String, Vec<u64>)>,
    pushed: u64,
}

fn blob(seed: u64) -> Vec<u8> {
    content(500 + seed, usize::try_from(3_000 + seed * 25_000).unwrap_or_default())
}

impl Worker {
    pub(super) fn new(number: u64, workers: u64, random: Random, api: Api) -> Self {
        let repository = format!("race/worker-{number}");
        Self { repository, number, workers, random, api, images: BTreeMap::new(), pushed: 0 }
    }

    pub(super) fn pushed(&self) -> u64 {
        self.pushed
    }

    pub(super) async fn work(mut self, over: Arc<AtomicBool>) -> Result<Self> {
        while !over.load(Ordering::SeqCst) {
            if let Err(error) = self.step().await {
                over.store(true, Ordering::SeqCst);
                return Err(error.context(self.repository));
            }
        }
        Ok(self)
    }

    async fn step(&mut self) -> Result<()> {
        if self.random.chance(15) {
            return self.delete_blob().await;
        }
        let tag = format!("t{}", self.random.between(0, 4));
        match self.images.remove(&tag) {
            None => {
                let image = self.push_image(&tag).await?;
                self.check(&tag, &image).await.context("just pushed")?;
                self.images.insert(tag, image);
            }
            Some(image) => {
                self.check(&tag, &image).await.context("pushed some time ago")?;
                let path = format!("/v2/{}/manifests/{}", self.repository, image.0);
                expect(self.api.delete(&path).await?, 202).await?;
                expect(self.api.get(&path).await?, 404).await?;
            }
        }
        Ok(())
    }

    /// Asks for a blob to go, which must be refused while an image needs it.
    async fn delete_blob(&mut self) -> Result<()> {
        let seed = self.random.between(0, BLOBS);
        let needed = self.images.values().any(|(_, seeds)| seeds.contains(&seed));
        let path = format!("/v2/{}/blobs/{}", self.repository, digest_of(&blob(seed)));
        let status = self.api.delete(&path).await?.status();
        if needed {
            ensure!(status.is_client_error(), "deleting a needed blob: {status}");
            expect(self.api.head(&path).await?, 200).await.context("after a refused delete")?;
        } else {
            ensure!(status == 202 || status == 404, "deleting a blob that no image needs: {status}");
            expect(self.api.head(&path).await?, 404).await.context("after a delete")?;
        }
        Ok(())
    }

    /// Pushes an image as clients do: asks for each blob, brings what is missing, then the manifest; again if that is refused
    /// because a blob was collected in between.
    async fn push_image(&mut self, tag: &str) -> Result<(String, Vec<u64>)> {
        let seeds: Vec<u64> = (0..3).map(|_| self.random.between(0, BLOBS)).collect();
        let descriptors: Vec<Value> = seeds.iter().map(|&seed| descriptor(&blob(seed))).collect();
        self.pushed += 1;
        let serial = json!({"serial": format!("{}-{}", self.number, self.pushed)});
        let manifest = manifest_of(&descriptors[0], &descriptors[1..], &serial);
        for _ in 0..TRIES {
            for &seed in &seeds {
                self.ensure_blob(&blob(seed)).await?;
            }
            let response = self.api.put_manifest(&self.repository, tag, &manifest).await?;
            if response.status() == 201 {
                return Ok((digest_of(&manifest), seeds));
            }
            let (status, text) = (response.status(), response.text().await?);
            ensure!(
                status.is_client_error() && text.contains("BLOB_UNKNOWN"),
                "manifest refused: {status} {text}"
            );
        }
        bail!("collection took a blob from under a push {TRIES} times")
    }

    async fn ensure_blob(&mut self, bytes: &[u8]) -> Result<()> {
        let digest = digest_of(bytes);
        let path = format!("/v2/{}/blobs/{digest}", self.repository);
        if self.api.head(&path).await?.status() == 200 {
            return Ok(());
        }
        if self.random.chance(40) && self.mount(&digest).await? {
            return Ok(());
        }
        self.api.push_blob(&self.repository, bytes).await?;
        Ok(())
    }

    /// Takes a blob from another worker's repository, if it has it at this moment.
    async fn mount(&mut self, digest: &str) -> Result<bool> {
        let from = format!("race/worker-{}", self.random.between(0, self.workers));
        let path = format!("/v2/{}/blobs/uploads/?mount={digest}&from={from}", self.repository);
        let response = self.api.request(Method::POST, &path)?.send().await?;
        if response.status() == 201 {
            return Ok(true);
        }
        let response = expect(response, 202).await?;
        let location = response.headers().get("location").context("no Location")?.to_str()?.to_owned();
        expect(self.api.delete(&location).await?, 204).await?;
        Ok(false)
    }

    /// Pulls an image whole, by its tag.
    async fn check(&self, tag: &str, (manifest, seeds): &(String, Vec<u64>)) -> Result<()> {
        let found = self.api.resolve(&self.repository, tag).await?;
        ensure!(found.as_ref() == Some(manifest), "{tag} is {found:?}, not {manifest}");
        for &seed in seeds {
            self.api.pull_blob(&self.repository, &digest_of(&blob(seed))).await?;
        }
        Ok(())
    }

    pub(super) async fn check_all(&self) -> Result<()> {
        for (tag, image) in &self.images {
            self.check(tag, image).await.with_context(|| self.repository.clone())?;
        }
        Ok(())
    }
}

fn descriptor(bytes: &[u8]) -> Value {
    json!({"mediaType": "application/vnd.example.bytes", "digest": digest_of(bytes), "size": bytes.len()})
}
