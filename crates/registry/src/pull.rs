//! Pull: manifests and blobs, through the repository that holds them.

use std::sync::Arc;

use berth_access::{Permit, Pull};
use berth_blobs::{BlobReader, Hasher, Location};
use berth_catalog::blob::{Blob, BlobId, Placement};
use berth_catalog::{blob, event, link, manifest};
use berth_oci::{Digest, Reference, RepositoryName};
use bytes::Bytes;

use crate::cache::Served;
use crate::config::seconds;
use crate::pull_counter::Tally;
use crate::{Error, Registry, Result, new_event};

pub use berth_catalog::manifest::Stored as StoredManifest;

/// Bytes hashed at a time when a blob is verified.
const VERIFY_BYTES: usize = 1 << 20;

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
    pub async fn stat_manifest(
        &self,
        permit: &Permit<Pull>,
        reference: &Reference,
    ) -> Result<Arc<StoredManifest>> {
        let served = self.find_manifest(permit.repository(), reference).await?;
        if reference.tag().is_some() {
            self.0.pulls.record(&served.by_reference);
        }
        Ok(served.manifest)
    }

    /// Opens a blob for reading.
    pub async fn pull_blob(&self, permit: &Permit<Pull>, digest: &Digest) -> Result<BlobHandle> {
        let blob = self.find_blob(permit.repository(), digest).await?;
        let content = match &blob.placement {
            Placement::Inline(content) => BlobContent::Inline(content.clone()),
            Placement::Stored(location) => {
                let reader = self.open_stored(permit.repository(), digest, &blob, location).await?;
                BlobContent::Stored(reader)
            }
        };
        let handle = BlobHandle { digest: *digest, size: blob.size, content };
        if self.0.config.storage.verify_on_read && !matches(&handle).await {
            return Err(self
                .damaged(permit.repository(), digest, blob.id, "its bytes do not match its digest")
                .await);
        }
        Ok(handle)
    }

    /// Returns a blob's size. The client may now count on the blob for a manifest, so a link under review waits anew.
    pub async fn stat_blob(&self, permit: &Permit<Pull>, digest: &Digest) -> Result<u64> {
        let blob = self.find_blob(permit.repository(), digest).await?;
        let now = self.now();
        let half = seconds(self.0.config.gc.delay_seconds) / 2;
        if blob.questioned_at.is_some_and(|since| since + half < now) {
            let (repository, id) = (permit.repository().clone(), blob.id);
            self.0.catalog.write(async move |tx| link::renew(tx, &repository, id, now).await).await?;
        }
        Ok(blob.size)
    }

    async fn find_manifest(&self, repository: &RepositoryName, reference: &Reference) -> Result<Served> {
        let catalog = &self.0.catalog;
        let key = (repository.clone(), reference.clone());
        if let Some(served) = self.0.cache.manifest(catalog, &key) {
            return Ok(served);
        }
        let generation = catalog.generation(repository);
        let found = catalog.read(async |r| manifest::find(r, repository, reference).await).await?;
        let Some(found) = found else {
            return Err(Error::ManifestUnknown {
                repository: repository.clone(),
                reference: reference.clone(),
            });
        };
        let served = Served {
            by_reference: Tally::new(repository, reference.to_string()),
            by_digest: reference.tag().map(|_| Tally::new(repository, found.digest.to_string())),
            manifest: Arc::new(found),
        };
        self.0.cache.keep_manifest(key, generation, served.clone());
        Ok(served)
    }

    async fn find_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<Arc<Blob>> {
        let catalog = &self.0.catalog;
        let key = (repository.clone(), *digest);
        if let Some(blob) = self.0.cache.blob(catalog, &key) {
            return Ok(blob);
        }
        let generation = catalog.generation(repository);
        let found = catalog.read(async |r| blob::find(r, repository, digest).await).await?;
        let Some(found) = found else {
            return Err(Error::BlobUnknown { repository: repository.clone(), digest: *digest });
        };
        let found = Arc::new(found);
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
        match self.0.blobs.open(&Location::from(location.to_owned())).await {
            Ok(reader) if reader.size() == blob.size => Ok(reader),
            Ok(reader) => {
                let reason = format!("{} bytes lie where {} should", reader.size(), blob.size);
                Err(self.damaged(repository, digest, blob.id, &reason).await)
            }
            Err(berth_blobs::Error::NotFound) => {
                // It may have been collected since its row was read: only a row that still points there is damaged.
                let known = self.is_committed(location).await?;
                if known {
                    return Err(self.damaged(repository, digest, blob.id, "its bytes are gone").await);
                }
                Err(Error::BlobUnknown { repository: repository.clone(), digest: *digest })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a damaged blob out of service and returns what to answer.
    async fn damaged(&self, repository: &RepositoryName, digest: &Digest, id: BlobId, reason: &str) -> Error {
        if let Err(error) = self.quarantine(*digest, id, reason).await {
            return error;
        }
        Error::BlobUnknown { repository: repository.clone(), digest: *digest }
    }

    /// Marks a blob as damaged: it is not served until it is pushed again, or a scrub finds it whole.
    pub(crate) async fn quarantine(&self, digest: Digest, id: BlobId, reason: &str) -> Result<()> {
        tracing::error!(%digest, reason, "blob is damaged, it is not served until it is pushed again");
        let mut new = new_event(event::Kind::BlobDamaged, self.now(), "system");
        new.digest = Some(digest);
        new.detail = serde_json::json!({ "reason": reason });
        self.0
            .catalog
            .write(async move |tx| {
                if blob::condemn_damaged(tx, id, new.at).await? {
                    event::append(tx, new).await;
                }
                Ok(())
            })
            .await
    }
}

/// Hashes a blob and compares.
pub(crate) async fn matches(handle: &BlobHandle) -> bool {
    match &handle.content {
        BlobContent::Inline(content) => Digest::of(handle.digest.algorithm(), content) == handle.digest,
        BlobContent::Stored(reader) => hash_stored(reader.as_ref(), handle.digest.algorithm())
            .await
            .is_ok_and(|digest| digest == handle.digest),
    }
}

/// Hashes a stored blob from start to end.
pub(crate) async fn hash_stored(
    reader: &dyn BlobReader,
    algorithm: berth_oci::Algorithm,
) -> berth_blobs::Result<Digest> {
    let mut hasher = Hasher::new(algorithm);
    let mut offset = 0;
    while offset < reader.size() {
        let bytes = reader.read(offset, VERIFY_BYTES).await?;
        offset += bytes.len() as u64;
        hasher = tokio::task::spawn_blocking(move || {
            hasher.update(&bytes);
            hasher
        })
        .await
        .map_err(|error| berth_blobs::Error::Io(std::io::Error::other(error), "hash a blob".into()))?;
    }
    Ok(hasher.finish())
}
