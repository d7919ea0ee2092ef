//! Pull: manifests and blobs, through the repository that holds them.

use std::net::IpAddr;
use std::sync::Arc;

use berth_access::{Permit, Pull};
use berth_blobs::{BlobReader, Location};
use berth_catalog::blob::{Blob, BlobId, Placement};
use berth_catalog::{Tx, blob, event, link, manifest};
use berth_oci::{Digest, Reference, RepositoryName};
use bytes::Bytes;
use jiff::Timestamp;

use crate::cache::Served;
use crate::config::seconds;
use crate::rehash::{Pace, Verdict, compare};
use crate::{Error, Registry, Result, Untagged, new_event};

pub use berth_catalog::manifest::Stored as StoredManifest;

/// A blob ready to be read.
#[derive(Debug, Clone)]
pub struct BlobHandle {
    /// Digest asked for.
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    /// The bytes.
    pub content: BlobContent,
}

/// Where a blob's bytes come from.
#[derive(Debug, Clone)]
pub enum BlobContent {
    /// Memory.
    Inline(Bytes),
    /// The blob store.
    Stored(Arc<dyn BlobReader>),
}

/// What a client that asks for a blob gets.
#[derive(Debug, Clone)]
pub enum Pulled {
    /// The bytes, from here.
    Here(BlobHandle),
    /// A link to the bytes in the store.
    Elsewhere(String),
}

impl Registry {
    /// Returns a manifest and counts the pull.
    pub async fn pull_manifest(
        &self,
        permit: &Permit<Pull>,
        reference: &Reference,
    ) -> Result<Arc<StoredManifest>> {
        let served = self.find_manifest(permit.repository(), reference).await?;
        self.0.pulls.record(&served.by_reference);
        if let Some(by_digest) = &served.by_digest {
            self.0.pulls.record(by_digest);
        }
        Ok(served.manifest)
    }

    /// Returns a manifest for a HEAD. By tag it counts as a pull of the tag: clients resolve the tag so and fetch by digest.
    /// By digest the client may now count on it for an index, so a manifest under review waits anew.
    pub async fn stat_manifest(
        &self,
        permit: &Permit<Pull>,
        reference: &Reference,
    ) -> Result<Arc<StoredManifest>> {
        let served = self.find_manifest(permit.repository(), reference).await?;
        if reference.tag().is_some() {
            self.0.pulls.record(&served.by_reference);
        } else if self.0.config.gc.untagged == Untagged::Delete
            && !self.read_only().is_on()
            && self.is_half_due(served.manifest.questioned_at)
        {
            let (repository, digest, now) = (permit.repository().clone(), served.manifest.digest, self.now());
            let unit = async move |tx: &mut Tx| manifest::renew(tx, &repository, &digest, now).await;
            if !self.0.catalog.write(unit).await? {
                return self
                    .find_manifest(permit.repository(), reference)
                    .await
                    .map(|served| served.manifest);
            }
        }
        Ok(served.manifest)
    }

    /// Opens a blob for reading.
    pub async fn pull_blob(&self, permit: &Permit<Pull>, digest: &Digest) -> Result<BlobHandle> {
        let blob = self.find_blob(permit.repository(), digest).await?;
        self.open_blob(permit, digest, &blob).await
    }

    /// Opens a blob for reading, or sends the client on to the store if that is for such a blob and such a client.
    ///
    /// Whoever has a link can read the blob until it ends, so it is made after the decision that a permit stands for.
    pub async fn pull_blob_for(
        &self,
        permit: &Permit<Pull>,
        digest: &Digest,
        client: IpAddr,
        user_agent: Option<&str>,
    ) -> Result<Pulled> {
        let blob = self.find_blob(permit.repository(), digest).await?;
        match self.link(&blob, digest, client, user_agent).await {
            Some(link) => Ok(Pulled::Elsewhere(link)),
            None => self.open_blob(permit, digest, &blob).await.map(Pulled::Here),
        }
    }

    async fn open_blob(&self, permit: &Permit<Pull>, digest: &Digest, blob: &Blob) -> Result<BlobHandle> {
        let content = match &blob.placement {
            Placement::Inline(content) => BlobContent::Inline(content.clone()),
            Placement::Stored(location) => {
                let reader = self.open_stored(permit.repository(), digest, blob, location).await?;
                BlobContent::Stored(reader)
            }
        };
        let handle = BlobHandle { digest: *digest, size: blob.size, content };
        if !self.0.config.storage.verify_on_read {
            return Ok(handle);
        }
        match compare(&handle, &mut Pace::free()).await {
            Verdict::Matches => Ok(handle),
            Verdict::Differs(reason) => Err(self.damaged(permit.repository(), digest, blob, reason).await),
            Verdict::Unreadable(error) => Err(error.into()),
            Verdict::Stopped => Err(Error::Busy),
        }
    }

    /// Returns a blob's size. The client may now count on the blob for a manifest, so a link under review waits anew.
    pub async fn stat_blob(&self, permit: &Permit<Pull>, digest: &Digest) -> Result<u64> {
        let blob = self.find_blob(permit.repository(), digest).await?;
        // Read-only, the collector rests too.
        if self.is_half_due(blob.questioned_at) && !self.read_only().is_on() {
            let (repository, id, now) = (permit.repository().clone(), blob.id, self.now());
            let unit = async move |tx: &mut Tx| link::renew(tx, &repository, id, now).await;
            if !self.0.catalog.write(unit).await? {
                // The collector was faster.
                return self.find_blob(permit.repository(), digest).await.map(|blob| blob.size);
            }
        }
        Ok(blob.size)
    }

    /// Tells whether something under review has waited more than half of the collector's delay.
    fn is_half_due(&self, since: Option<Timestamp>) -> bool {
        let half = seconds(self.0.config.gc.delay_seconds) / 2;
        since.is_some_and(|since| since.saturating_add(half).is_ok_and(|then| then < self.now()))
    }

    async fn find_manifest(&self, repository: &RepositoryName, reference: &Reference) -> Result<Served> {
        let catalog = &self.0.catalog;
        let key = (repository.clone(), reference.clone());
        if let Some(served) = self.0.cache.manifest(catalog, &key) {
            self.0.outage.over();
            return Ok(served);
        }
        let (mut generation, last) = (catalog.generation(repository), catalog.last_generation(repository));
        let asking = catalog.read(async |r| manifest::find(r, repository, reference).await);
        let mut found = self.ask(self.0.recall.has_manifest(&key), asking).await?;
        if found.is_none() && self.demand_manifest(repository, reference).await? {
            generation = catalog.generation(repository);
            found = catalog.read(async |r| manifest::find(r, repository, reference).await).await?;
        }
        let Some(found) = found else {
            self.0.recall.note_manifest(&key, last, None);
            return Err(Error::ManifestUnknown {
                repository: repository.clone(),
                reference: reference.clone(),
            });
        };
        let served = self.0.cache.keep_manifest(catalog, &key, generation, found);
        self.0.recall.note_manifest(&key, last, Some(&served));
        Ok(served)
    }

    pub(crate) async fn find_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<Arc<Blob>> {
        let catalog = &self.0.catalog;
        let key = (repository.clone(), *digest);
        if let Some(blob) = self.0.cache.blob(catalog, &key) {
            self.0.outage.over();
            return Ok(blob);
        }
        let (mut generation, last) = (catalog.generation(repository), catalog.last_generation(repository));
        let asking = catalog.read(async |r| blob::find(r, repository, digest).await);
        let mut found = self.ask(self.0.recall.has_blob(&key), asking).await?;
        if found.is_none() && self.demand_blob(repository, digest).await? {
            generation = catalog.generation(repository);
            found = catalog.read(async |r| blob::find(r, repository, digest).await).await?;
        }
        let Some(found) = found else {
            self.0.recall.note_blob(&key, last, None);
            return Err(Error::BlobUnknown { repository: repository.clone(), digest: *digest });
        };
        let found = Arc::new(found);
        self.0.recall.note_blob(&key, last, Some(&found));
        self.0.cache.keep_blob(key, generation, Arc::clone(&found));
        Ok(found)
    }

    /// Opens a stored blob; one that is gone or has another size is quarantined instead of served.
    async fn open_stored(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        blob: &Blob,
        location: &str,
    ) -> Result<Arc<dyn BlobReader>> {
        let location = Location::from(location.to_owned());
        let mut opened = self.0.blobs.open(&location).await;
        if self.may_lie_elsewhere(&location, &opened).await? {
            opened = self.0.blobs.open(&location).await;
        }
        match opened {
            Ok(reader) if reader.size() == blob.size => Ok(reader),
            Ok(reader) => {
                let reason = format!("{} bytes lie where {} should", reader.size(), blob.size);
                Err(self.damaged(repository, digest, blob, &reason).await)
            }
            Err(berth_blobs::Error::NotFound) => {
                Err(self.damaged(repository, digest, blob, "its bytes are gone").await)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a damaged blob out of service and returns what to answer.
    async fn damaged(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        blob: &Blob,
        reason: &str,
    ) -> Error {
        let unknown = Error::BlobUnknown { repository: repository.clone(), digest: *digest };
        if self.read_only().is_on() {
            tracing::error!(%digest, reason, "blob is damaged; it is marked when the registry is no longer read-only");
            return unknown;
        }
        match self.quarantine(*digest, blob.id, &blob.placement, reason).await {
            Ok(true) => return unknown,
            Ok(false) => {}
            Err(error) => return error,
        }
        // The row has changed since it was read: the blob is gone, or marked already, or healed.
        match self.0.catalog.read(async |r| blob::find(r, repository, digest).await).await {
            Ok(None) => unknown,
            Ok(Some(_)) => Error::Busy,
            Err(error) => error.into(),
        }
    }

    /// Marks a blob as damaged: it is not served until it is pushed again, or a scrub finds it whole. Returns false, and
    /// marks nothing, unless it still lies where its bytes were found wrong.
    pub(crate) async fn quarantine(
        &self,
        digest: Digest,
        id: BlobId,
        placement: &Placement,
        reason: &str,
    ) -> Result<bool> {
        let placement = placement.clone();
        let mut new = new_event(event::Kind::BlobDamaged, self.now(), "system");
        new.digest = Some(digest);
        new.detail = serde_json::json!({ "reason": reason });
        let unit = async move |tx: &mut Tx| {
            let marked = blob::mark_damaged(tx, id, &digest, &placement, new.at).await?;
            if marked {
                event::append(tx, new.clone()).await;
            }
            Ok::<_, Error>(marked)
        };
        let marked = self.0.catalog.write(unit).await?;
        if marked {
            tracing::error!(%digest, reason, "blob is damaged, it is not served until it is pushed again");
        }
        Ok(marked)
    }
}
