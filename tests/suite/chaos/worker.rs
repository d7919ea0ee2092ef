//! A client that owns one repository, pushes images into it, pulls them again, deletes some, and remembers what it was promised.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::patient::{Lost, Patient};
use crate::harness::{Api, Random, Refused, content, digest_of, expect, manifest_of};

/// Seeds of content that all workers push, so that equal digests meet.
const SHARED_SEEDS: u64 = 20;
/// Fewest images that a worker keeps.
const KEPT: usize = 5;

/// How a worker works.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Manner {
    /// As much as it can, blobs of all sizes, deletions too.
    Hard,
    /// Tiny images, in turns pushed and pulled, of a blob for the catalog and one for the bucket: so that the time until it
    /// succeeds is the registry's, not that of the bytes.
    Watchful,
}

/// Pause of the watchful between two requests.
const BLINK: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Push,
    Pull,
    Delete,
}

/// One thing that a worker did, with all its tries.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) kind: Kind,
    pub(super) begin: Instant,
    pub(super) end: Instant,
    /// Why it failed in the end.
    pub(super) failure: Option<String>,
}

/// An image under a tag that no other image ever has.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) tag: String,
    pub(super) digest: String,
    pub(super) blobs: Vec<(u64, usize)>,
    /// No try of its manifest may still be under way, so that it stays deleted once it is.
    settled: bool,
}

pub(super) struct Worker {
    pub(super) repository: String,
    pub(super) images: Vec<Image>,
    pub(super) deleted: Vec<Image>,
    /// Pushed or deleted, but for an answer.
    pub(super) in_doubt: Vec<Image>,
    pub(super) done: Vec<Done>,
    client: Patient,
    random: Random,
    manner: Manner,
    serial: u64,
}

impl Worker {
    pub(super) fn new(number: u64, manner: Manner, client: Patient, random: Random) -> Self {
        Self {
            repository: format!("chaos/worker-{number}"),
            images: Vec::new(),
            deleted: Vec::new(),
            in_doubt: Vec::new(),
            done: Vec::new(),
            client,
            random,
            manner,
            serial: 0,
        }
    }

    pub(super) fn retries(&self) -> u64 {
        self.client.retries
    }

    pub(super) async fn work(mut self, over: Arc<AtomicBool>) -> Self {
        while !over.load(Ordering::SeqCst) {
            let begin = Instant::now();
            let choice = match self.manner {
                Manner::Hard => self.random.between(0, 100),
                Manner::Watchful => 60 * (self.done.len() as u64 % 2),
            };
            let (kind, result) = match choice {
                0..30 => (Kind::Push, self.push().await),
                90.. if self.images.len() > KEPT => (Kind::Delete, self.delete().await),
                _ if self.images.is_empty() => (Kind::Push, self.push().await),
                _ => (Kind::Pull, self.pull().await),
            };
            let failure = result.err().map(|error| format!("{error:#}"));
            self.done.push(Done { kind, begin, end: Instant::now(), failure });
            if self.manner == Manner::Watchful {
                tokio::time::sleep(BLINK).await;
            }
        }
        self
    }

    /// Pushes an image as clients do: what is missing of its blobs, then its manifest.
    async fn push(&mut self) -> Result<()> {
        self.serial += 1;
        let blobs: Vec<(u64, usize)> = match self.manner {
            Manner::Hard => (0..self.random.between(1, 4)).map(|_| self.choose_blob()).collect(),
            Manner::Watchful => vec![(self.random.next(), 100), (self.random.next(), 20_000)],
        };
        let mut descriptors = Vec::new();
        for &(seed, size) in &blobs {
            descriptors.push(self.push_blob(&content(seed, size)).await?);
        }
        let annotations = json!({"serial": self.serial.to_string(), "repository": self.repository});
        let manifest = manifest_of(&descriptors[0], &descriptors[1..], &annotations);
        let (tag, digest) = (format!("t{}", self.serial), digest_of(&manifest));
        let (repository, tag_name, bytes) = (&self.repository, &tag, &manifest);
        let put = |api: Api| async move { api.push_manifest(repository, tag_name, bytes).await };
        match self.client.attempt(put).await {
            Ok((_, failed)) => {
                self.images.push(Image { tag, digest, blobs, settled: failed == 0 });
                Ok(())
            }
            Err(error) => {
                self.in_doubt.push(Image { tag, digest, blobs, settled: false });
                Err(error.context("manifest"))
            }
        }
    }

    /// Brings a blob, unless it is there; hands back its descriptor.
    async fn push_blob(&mut self, bytes: &[u8]) -> Result<Value> {
        let (repository, digest) = (&self.repository, &digest_of(bytes));
        let path = &format!("/v2/{repository}/blobs/{digest}");
        let chunked = self.random.chance(30);
        let push = |api: Api| async move {
            let answer = api.head(path).await?;
            if answer.status() == 200 {
                return Ok(());
            }
            expect(answer, 404).await?;
            if !chunked {
                return api.push_blob(repository, bytes).await.map(drop);
            }
            let upload = api.start_upload(repository).await?;
            let (first, rest) = bytes.split_at(bytes.len() / 2);
            let upload = api.append(&upload, 0, first.to_vec()).await?;
            api.finish_upload(&upload, rest.to_vec(), digest).await
        };
        self.client.attempt(push).await.context("blob")?;
        Ok(json!({"mediaType": "application/vnd.example.bytes", "digest": digest, "size": bytes.len()}))
    }

    /// Seed and size of a blob: most lie in the catalog, some are objects, a few are objects of two parts.
    fn choose_blob(&mut self) -> (u64, usize) {
        if self.random.chance(20) {
            let seed = self.random.between(1, SHARED_SEEDS);
            return (seed, usize::try_from(seed * 4_000).unwrap_or_default());
        }
        let (from, to) = match self.random.between(0, 100) {
            0..60 => (10, 16_000),
            60..97 => (17_000, 300_000),
            _ => (5 << 20, 7 << 20),
        };
        (self.random.next(), usize::try_from(self.random.between(from, to)).unwrap_or_default())
    }

    /// Pulls one of the images whole.
    async fn pull(&mut self) -> Result<()> {
        let image = self.random.choose(&self.images).context("no image")?.clone();
        let repository = &self.repository;
        let (tag, digest) = (&image.tag, &image.digest);
        let by_tag = |api: Api| async move {
            let found = api.resolve(repository, tag).await?;
            ensure!(found.as_ref() == Some(digest), Lost(format!("LOST: {tag} is {found:?}, not {digest}")));
            Ok(())
        };
        self.client.attempt(by_tag).await?;
        for &(seed, size) in &image.blobs {
            let digest = &digest_of(&content(seed, size));
            self.client.attempt(|api| async move { api.pull_blob(repository, digest).await }).await?;
        }
        Ok(())
    }

    /// Deletes an image that nobody can bring back by a request of long ago.
    async fn delete(&mut self) -> Result<()> {
        let Some(index) = self.images.iter().position(|image| image.settled) else { return Ok(()) };
        let image = self.images.remove(index);
        let path = &format!("/v2/{}/manifests/{}", self.repository, image.digest);
        let delete = |api: Api| async move { expect(api.delete(path).await?, 202).await.map(drop) };
        match self.client.attempt(delete).await {
            Ok(_) => self.deleted.push(image),
            // An earlier try may have done it.
            Err(error) if error.downcast_ref::<Refused>().is_some_and(|refused| refused.status == 404) => {
                self.deleted.push(image);
            }
            Err(error) => {
                self.in_doubt.push(image);
                return Err(error.context("delete"));
            }
        }
        Ok(())
    }
}
