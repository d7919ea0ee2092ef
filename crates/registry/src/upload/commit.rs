//! Makes a finished upload a blob of its repository: bytes first, then the row that says they exist.

use berth_blobs::{Location, UploadId};
use berth_catalog::blob::{self, Inserted, Placement};
use berth_catalog::{repository, upload};
use berth_oci::Digest;

use super::Owner;
use super::receive::Received;
use crate::pull::hash_stored;
use crate::{Error, Registry, Result};

impl Registry {
    /// Checks the digest and commits. A wrong digest ends the session: its bytes are nothing anybody asked for.
    pub(super) async fn commit(
        &self,
        owner: &Owner,
        id: UploadId,
        received: Received,
        digest: &Digest,
    ) -> Result<()> {
        let size = received.progress.offset;
        if let Some(held) = received.held {
            let computed = Digest::of(digest.algorithm(), &held);
            if computed != *digest {
                return self.refuse(id, digest, computed).await;
            }
            let inline = Placement::Inline(held);
            return self.record(owner, id, digest, size, Some(inline)).await.map(drop);
        }
        if received.progress.hasher.algorithm() != digest.algorithm() {
            return self.commit_rehashed(owner, id, size, digest).await;
        }
        let computed = received.progress.hasher.finish();
        if computed != *digest {
            return self.refuse(id, digest, computed).await;
        }
        self.commit_stored(owner, id, size, digest).await
    }

    async fn refuse(&self, id: UploadId, digest: &Digest, computed: Digest) -> Result<()> {
        self.forget_upload(id).await?;
        Err(Error::DigestMismatch { given: *digest, computed })
    }

    /// The bytes were hashed with another algorithm than the digest's: hash them again where they lie.
    async fn commit_rehashed(&self, owner: &Owner, id: UploadId, size: u64, digest: &Digest) -> Result<()> {
        let location = self.0.blobs.publish(&id, digest).await?;
        let reader = self.0.blobs.open(&location).await?;
        let computed = hash_stored(reader.as_ref(), digest.algorithm()).await?;
        if computed != *digest {
            self.0.blobs.delete(&location).await?;
            return self.refuse(id, digest, computed).await;
        }
        self.commit_published(owner, id, size, digest, location).await
    }

    async fn commit_stored(&self, owner: &Owner, id: UploadId, size: u64, digest: &Digest) -> Result<()> {
        // Bytes that the catalog knows already need no second name on disk.
        let known = self.0.catalog.read(async |r| blob::exists(r, digest).await).await?;
        if known && self.record(owner, id, digest, size, None).await? != Inserted::Missing {
            return Ok(self.0.blobs.discard(&id).await?);
        }
        let location = self.0.blobs.publish(&id, digest).await?;
        self.commit_published(owner, id, size, digest, location).await
    }

    async fn commit_published(
        &self,
        owner: &Owner,
        id: UploadId,
        size: u64,
        digest: &Digest,
        location: Location,
    ) -> Result<()> {
        let placement = Placement::Stored(location.as_str().to_owned());
        match self.record(owner, id, digest, size, Some(placement)).await {
            Ok(Inserted::Used) => {}
            // Another upload of the same bytes was first.
            Ok(Inserted::Known | Inserted::Missing) => {
                self.0.blobs.delete(&location).await?;
            }
            Err(error) => {
                self.undo_publication(id, &location).await;
                return Err(error);
            }
        }
        Ok(self.0.blobs.discard(&id).await?)
    }

    /// After a commit that failed: the catalog is asked whether it did, and bytes without a row go.
    async fn undo_publication(&self, id: UploadId, location: &Location) {
        let known = self.is_committed(location.as_str()).await;
        let undone = match known {
            Ok(true) => Ok(0),
            Ok(false) => self.0.blobs.delete(location).await,
            Err(error) => {
                tracing::warn!(upload = %id, %error, "could not ask about a failed commit; the next start repairs it");
                return;
            }
        };
        let discarded = match undone {
            Ok(_) => self.0.blobs.discard(&id).await,
            Err(error) => Err(error),
        };
        if let Err(error) = discarded {
            tracing::warn!(upload = %id, %error, "could not clean up after a failed commit; the next start repairs it");
        }
    }

    /// The unit of work: the blob is known and linked, the session has ended.
    async fn record(
        &self,
        owner: &Owner,
        id: UploadId,
        digest: &Digest,
        size: u64,
        offered: Option<Placement>,
    ) -> Result<Inserted> {
        let (name, id, digest, now) = (owner.repository.clone(), id.to_string(), *digest, self.now());
        self.0
            .catalog
            .write(async move |tx| {
                let repository = repository::ensure(tx, &name, now).await?;
                let inserted = blob::insert(tx, &repository, &digest, size, offered.as_ref(), now).await?;
                if inserted != Inserted::Missing {
                    upload::delete(tx, &id).await?;
                }
                Ok::<_, Error>(inserted)
            })
            .await
    }
}
