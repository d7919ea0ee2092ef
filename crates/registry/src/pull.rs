//! Pull: manifests and blobs, through the repository that holds them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use berth_access::{Permit, Pull};
use berth_blobs::{BlobReader, Location};
use berth_catalog::blob::{Blob, BlobId, Placement};
use berth_catalog::{Tx, blob, event, link, manifest};
use berth_oci::{Digest, Reference, RepositoryName};
use bytes::Bytes;
use jiff::Timestamp;

use crate::cache::{Content, Key, Known, Memory, Served};
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

/// How long a pull waits for the catalog when it could have something else instead.
const MOMENT: Duration = Duration::from_secs(1);

/// What came of asking the catalog.
enum Heard<A, T> {
    Answer(A),
    /// It can't be asked; this was right a while ago.
    Silence(Known<T>),
}

impl Registry {
    /// Returns a manifest and counts the pull.
    pub async fn pull_manifest(
        &self,
        permit: &Permit<Pull>,
        reference: &Reference,
    ) -> Result<Known<Arc<StoredManifest>>> {
        let served = self.find_manifest(permit.repository(), reference).await?;
        self.0.pulls.record(&served.content.by_reference);
        if let Some(by_digest) = &served.content.by_digest {
            self.0.pulls.record(by_digest);
        }
        Ok(self.dated(served.map(|served| served.manifest)))
    }

    /// Returns a manifest for a HEAD. By tag it counts as a pull of the tag: clients resolve the tag so and fetch by digest.
    /// By digest the client may now count on it for an index, so a manifest under review waits anew.
    pub async fn stat_manifest(
        &self,
        permit: &Permit<Pull>,
        reference: &Reference,
    ) -> Result<Known<Arc<StoredManifest>>> {
        let served = self.find_manifest(permit.repository(), reference).await?;
        let found = &served.content;
        if reference.tag().is_some() {
            self.0.pulls.record(&found.by_reference);
        } else if self.0.config.gc.untagged == Untagged::Delete
            && self.may_renew(&served)
            && self.is_half_due(found.manifest.questioned_at)
        {
            let (repository, digest, now) = (permit.repository().clone(), found.manifest.digest, self.now());
            let unit = async move |tx: &mut Tx| manifest::renew(tx, &repository, &digest, now).await;
            if !self.0.catalog.write(unit).await? {
                let served = self.find_manifest(permit.repository(), reference).await?;
                return Ok(self.dated(served.map(|served| served.manifest)));
            }
        }
        Ok(self.dated(served.map(|served| served.manifest)))
    }

    /// Opens a blob for reading.
    pub async fn pull_blob(&self, permit: &Permit<Pull>, digest: &Digest) -> Result<Known<BlobHandle>> {
        let known = self.find_blob(permit.repository(), digest).await?;
        let handle = self.open_blob(permit, digest, &known).await?;
        Ok(self.dated(known.map(|_| handle)))
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
    ) -> Result<Known<Pulled>> {
        let known = self.find_blob(permit.repository(), digest).await?;
        let pulled = match self.link(&known, digest, client, user_agent).await {
            Some(link) => Pulled::Elsewhere(link),
            None => Pulled::Here(self.open_blob(permit, digest, &known).await?),
        };
        Ok(self.dated(known.map(|_| pulled)))
    }

    async fn open_blob(
        &self,
        permit: &Permit<Pull>,
        digest: &Digest,
        known: &Known<Arc<Blob>>,
    ) -> Result<BlobHandle> {
        let blob = &known.content;
        let content = match &blob.placement {
            Placement::Inline(content) => BlobContent::Inline(content.clone()),
            Placement::Stored(location) => {
                let reader = self.open_stored(permit.repository(), digest, known, location).await?;
                BlobContent::Stored(reader)
            }
        };
        let handle = BlobHandle { digest: *digest, size: blob.size, content };
        if !self.0.config.storage.verify_on_read {
            return Ok(handle);
        }
        match compare(&handle, &mut Pace::free()).await {
            Verdict::Matches => Ok(handle),
            Verdict::Differs(reason) => Err(self.damaged(permit.repository(), digest, known, reason).await),
            Verdict::Unreadable(error) => Err(error.into()),
            Verdict::Stopped => Err(Error::Busy),
        }
    }

    /// Returns a blob's size. The client may now count on the blob for a manifest, so a link under review waits anew.
    pub async fn stat_blob(&self, permit: &Permit<Pull>, digest: &Digest) -> Result<Known<u64>> {
        let known = self.find_blob(permit.repository(), digest).await?;
        if self.is_half_due(known.content.questioned_at) && self.may_renew(&known) {
            let (repository, id, now) = (permit.repository().clone(), known.content.id, self.now());
            let unit = async move |tx: &mut Tx| link::renew(tx, &repository, id, now).await;
            if !self.0.catalog.write(unit).await? {
                // The collector was faster.
                let known = self.find_blob(permit.repository(), digest).await?;
                return Ok(self.dated(known.map(|blob| blob.size)));
            }
        }
        Ok(self.dated(known.map(|blob| blob.size)))
    }

    /// Tells whether what is under review can be told to wait: read-only, or without the catalog, the collector rests too.
    fn may_renew<T>(&self, known: &Known<T>) -> bool {
        !known.is_stale() && !self.read_only().is_on()
    }

    /// Tells whether something under review has waited more than half of the collector's delay.
    fn is_half_due(&self, since: Option<Timestamp>) -> bool {
        let half = seconds(self.0.config.gc.delay_seconds) / 2;
        since.is_some_and(|since| since.saturating_add(half).is_ok_and(|then| then < self.now()))
    }

    async fn find_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Known<Served>> {
        let (catalog, cache) = (&self.0.catalog, &self.0.cache);
        let key = (repository.clone(), reference.clone());
        if let Some(known) = cache.manifests.current(catalog, &key) {
            return Ok(known);
        }
        let mut generation = catalog.last_generation(repository);
        let find = || catalog.read(async |r| manifest::find(r, repository, reference).await);
        let mut found = match self.ask(&cache.manifests, &key, find()).await? {
            Heard::Answer(found) => found,
            Heard::Silence(recalled) => return Ok(recalled),
        };
        if found.is_none() && self.demand_manifest(repository, reference).await? {
            generation = catalog.last_generation(repository);
            found = find().await?;
        }
        let Some(found) = found else {
            cache.manifests.forget(&key);
            return Err(Error::ManifestUnknown {
                repository: repository.clone(),
                reference: reference.clone(),
            });
        };
        Ok(Known::current(cache.keep_manifest(catalog, &key, generation, found)))
    }

    pub(crate) async fn find_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Known<Arc<Blob>>> {
        let (catalog, blobs) = (&self.0.catalog, &self.0.cache.blobs);
        let key = (repository.clone(), *digest);
        if let Some(known) = blobs.current(catalog, &key) {
            return Ok(known);
        }
        let mut generation = catalog.last_generation(repository);
        let find = || catalog.read(async |r| blob::find(r, repository, digest).await);
        let mut found = match self.ask(blobs, &key, find()).await? {
            Heard::Answer(found) => found,
            Heard::Silence(recalled) => return Ok(recalled),
        };
        if found.is_none() && self.demand_blob(repository, digest).await? {
            generation = catalog.last_generation(repository);
            found = find().await?;
        }
        let Some(found) = found else {
            blobs.forget(&key);
            return Err(Error::BlobUnknown { repository: repository.clone(), digest: *digest });
        };
        let found = Arc::new(found);
        blobs.keep(key, generation, Arc::clone(&found));
        Ok(Known::current(found))
    }

    /// Asks the catalog for what is not known to be right. Where the answer can be recalled, it is asked for a moment only, and not
    /// at all in an outage that is older.
    async fn ask<K: Key, T: Content, A>(
        &self,
        memory: &Memory<K, T>,
        key: &K,
        asking: impl Future<Output = berth_catalog::Result<A>>,
    ) -> Result<Heard<A, T>> {
        let catalog = &self.0.catalog;
        if memory.recall(catalog, key).is_none() {
            return Ok(Heard::Answer(asking.await?));
        }
        let asked = if catalog.outage().is_some_and(|outage| outage.lasted > MOMENT) {
            None
        } else {
            tokio::time::timeout(MOMENT, asking).await.ok()
        };
        match asked {
            Some(Ok(answer)) => Ok(Heard::Answer(answer)),
            Some(Err(error)) if !matches!(error, berth_catalog::Error::Unavailable(_)) => Err(error.into()),
            silence => memory.recall(catalog, key).map(Heard::Silence).ok_or_else(|| {
                let late = || berth_catalog::Error::Unavailable("no answer within a second".into());
                silence.and_then(std::result::Result::err).unwrap_or_else(late).into()
            }),
        }
    }

    /// Opens a stored blob; one that is gone or has another size is quarantined instead of served.
    async fn open_stored(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        known: &Known<Arc<Blob>>,
        location: &str,
    ) -> Result<Arc<dyn BlobReader>> {
        let size = known.content.size;
        let location = Location::from(location.to_owned());
        let mut opened = self.0.blobs.open(&location).await;
        if self.may_lie_elsewhere(&location, &opened).await? {
            opened = self.0.blobs.open(&location).await;
        }
        match opened {
            Ok(reader) if reader.size() == size => Ok(reader),
            Ok(reader) => {
                let reason = format!("{} bytes lie where {size} should", reader.size());
                Err(self.damaged(repository, digest, known, &reason).await)
            }
            Err(berth_blobs::Error::NotFound) => {
                Err(self.damaged(repository, digest, known, "its bytes are gone").await)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a damaged blob out of service and returns what to answer.
    async fn damaged(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        known: &Known<Arc<Blob>>,
        reason: &str,
    ) -> Error {
        let blob = &known.content;
        if known.is_stale() {
            // What was right a while ago says nothing about the blob of now.
            return berth_catalog::Error::Unavailable(reason.to_owned()).into();
        }
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
