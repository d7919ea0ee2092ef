//! What has to hold after each crash.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::client::Client;
use super::ledger::{Change, Fact};
use crate::harness::{Api, Event, Server, digest_of, expect, upload_id};

/// Longest that the clean-up of a start may take.
const CLEANED_WITHIN: Duration = Duration::from_secs(10);
/// Longest that events may take from their commit into the log.
const SEALED_WITHIN: Duration = Duration::from_secs(5);

impl Client {
    /// Learns what became of the change in doubt, and continues about half of the unfinished uploads.
    pub(super) async fn settle(&mut self, api: &Api) -> Result<()> {
        if let Some(change) = self.ledger.in_doubt.clone() {
            if self.happened(api, &change).await? {
                self.ledger.took_place();
            } else {
                self.ledger.in_doubt = None;
            }
        }
        for index in (0..self.ledger.uploads.len()).rev() {
            let alive = self.check_upload(api, index).await?;
            if alive && self.random.chance(50) {
                self.finish(api, index).await.context("continuing an upload after a crash")?;
            }
        }
        Ok(())
    }

    async fn happened(&self, api: &Api, change: &Change) -> Result<bool> {
        let repository = &self.repository;
        let manifest = |reference: &str| format!("/v2/{repository}/manifests/{reference}");
        Ok(match change {
            Change::PushBlob { digest, .. } => {
                api.head(&format!("/v2/{repository}/blobs/{digest}")).await?.status() == 200
            }
            Change::PushManifest { digest, tag } => {
                let there = api.head(&manifest(digest)).await?.status() == 200;
                if let Some(tag) = tag {
                    let points_there = api.resolve(repository, tag).await?.as_ref() == Some(digest);
                    ensure!(there == points_there, "a manifest and its tag came apart: {digest}, {tag}");
                }
                there
            }
            Change::DeleteTag { tag: gone } | Change::DeleteManifest { digest: gone } => {
                api.head(&manifest(gone)).await?.status() == 404
            }
        })
    }

    /// Checks the offset of an unfinished upload; false if it had ended after all, which removes it from the ledger.
    async fn check_upload(&mut self, api: &Api, index: usize) -> Result<bool> {
        let upload = &mut self.ledger.uploads[index];
        let (acknowledged, sent) = (upload.acknowledged, upload.sent);
        let Some(offset) = api.upload_offset(&upload.location).await? else {
            let (digest, path) =
                (digest_of(&crate::harness::content(upload.seed, upload.size)), &upload.location);
            ensure!(upload.finishing, "{path} is gone with {acknowledged} acknowledged bytes");
            api.pull_blob(&self.repository, &digest).await.context("an ended upload left no blob")?;
            self.ledger.uploads.remove(index);
            return Ok(false);
        };
        // A chunk whose answer was lost may have been stored whole; nothing in between was ever acknowledged.
        let consistent = offset == acknowledged || offset == sent;
        ensure!(
            consistent,
            "{} continues at {offset}; acknowledged {acknowledged}, sent {sent}",
            upload.location
        );
        upload.acknowledged = offset;
        upload.sent = offset;
        upload.finishing = false;
        Ok(true)
    }

    /// Pulls what was acknowledged since the last check, and all tags.
    pub(super) async fn check_recent(&mut self, api: &Api) -> Result<()> {
        for digest in std::mem::take(&mut self.ledger.recent) {
            api.pull_blob(&self.repository, &digest).await.context("acknowledged")?;
        }
        let listed = api.get(&format!("/v2/{}/tags/list", self.repository)).await?;
        let unknown = listed.status() == 404;
        let listed: serde_json::Value = listed.json().await?;
        let listed: Vec<&str> =
            listed["tags"].as_array().into_iter().flatten().filter_map(|tag| tag.as_str()).collect();
        let known: Vec<&str> = self.ledger.tags.keys().map(String::as_str).collect();
        ensure!(listed == known, "{}: tags {listed:?}, not {known:?} (unknown: {unknown})", self.repository);
        for (tag, digest) in &self.ledger.tags {
            let found = api.resolve(&self.repository, tag).await?;
            ensure!(found.as_ref() == Some(digest), "{}:{tag} is {found:?}, not {digest}", self.repository);
        }
        Ok(())
    }

    /// Pulls everything that was ever acknowledged and not deleted.
    pub(super) async fn check_all(&mut self, api: &Api) -> Result<()> {
        self.check_recent(api).await?;
        for digest in self.ledger.blobs.keys() {
            api.pull_blob(&self.repository, digest).await.context("acknowledged")?;
        }
        for digest in &self.ledger.manifests {
            api.pull_manifest(&self.repository, digest).await.context("acknowledged")?;
        }
        for digest in &self.ledger.deleted {
            let path = format!("/v2/{}/manifests/{digest}", self.repository);
            expect(api.get(&path).await?, 404).await.context("its delete was acknowledged")?;
        }
        Ok(())
    }

    /// Continues every upload that is still open.
    pub(super) async fn finish_all_uploads(&mut self, api: &Api) -> Result<()> {
        for index in (0..self.ledger.uploads.len()).rev() {
            if self.check_upload(api, index).await? {
                self.finish(api, index).await.context("continuing an upload at the end")?;
            }
        }
        Ok(())
    }
}

/// Fails if the store holds bytes of uploads that no client could continue.
pub(super) async fn no_litter(server: &Server, clients: &[Client]) -> Result<()> {
    let uploads = clients.iter().flat_map(|client| &client.ledger.uploads);
    let live: BTreeSet<&str> = uploads.map(|upload| upload_id(&upload.location)).collect();
    let begin = Instant::now();
    loop {
        let mut files = server.upload_files()?;
        files.retain(|name| !live.iter().any(|id| name.contains(id)));
        if files.is_empty() {
            return Ok(());
        }
        if begin.elapsed() > CLEANED_WITHIN {
            bail!("files of no live upload: {files:?}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Checks the events until they are right: on a shared database they are put in order a moment after their commit.
pub(super) async fn events_settle(server: &Server, clients: &[Client]) -> Result<()> {
    let begin = Instant::now();
    loop {
        let checked = events(&server.events().await?, clients);
        if checked.is_ok() || begin.elapsed() > SEALED_WITHIN {
            return checked;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Fails unless the event log tells each repository's changes exactly once, in the order in which they were acknowledged.
fn events(events: &[Event], clients: &[Client]) -> Result<()> {
    for (index, event) in events.iter().enumerate() {
        ensure!(event.position == index as u64 + 1, "event {} at place {}", event.position, index + 1);
    }
    for client in clients {
        let told: Vec<Fact> =
            events.iter().filter(|event| event.repository == client.repository).filter_map(fact).collect();
        let known = &client.ledger.facts;
        let differs = told.iter().zip(known).position(|(told, known)| told != known);
        let at = differs.unwrap_or(told.len().min(known.len()));
        ensure!(
            told == *known,
            "{}: {} events for {} changes; first difference at {at}: told {:?}, acknowledged {:?}",
            client.repository,
            told.len(),
            known.len(),
            told.get(at),
            known.get(at)
        );
    }
    Ok(())
}

/// The fact that an event tells, if it is one that clients note.
fn fact(event: &Event) -> Option<Fact> {
    let digest = event.digest.clone();
    let tag = event.tag.clone();
    Some(match event.kind.as_str() {
        "manifest_pushed" => Fact::ManifestPushed { digest: digest? },
        "manifest_deleted" => Fact::ManifestDeleted { digest: digest? },
        "tag_moved" => Fact::TagMoved { tag: tag?, digest: digest? },
        "tag_deleted" => Fact::TagDeleted { tag: tag? },
        _ => return None,
    })
}
