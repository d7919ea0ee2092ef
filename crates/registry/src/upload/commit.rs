//! Makes a finished upload a blob of its repository: bytes first, then the row that says they exist.

use berth_blobs::{Location, UploadId};
use berth_catalog::blob::{self, Inserted, Placement};
use berth_catalog::{Tx, upload};
use berth_oci::Digest;

use super::Owner;
use super::receive::Received;
use crate::rehash::hash_stored;
use crate::{Error, Registry, Result};

/// What is to be committed.
#[derive(Debug, Clone, Copy)]
struct Commit<'a> {
    owner: &'a Owner,
    id: UploadId,
    digest: &'a Digest,
    size: u64,
    /// Where the session must still stand; `None` if nobody else can have gone on with it.
    stands_at: Option<u64>,
}

impl Registry {
    /// Checks the digest and commits. A wrong digest ends the session: its bytes are nothing anybody asked for. Any other
    /// failure leaves the session as it was acknowledged, to be finished by another try.
    pub(super) async fn commit(
        &self,
        owner: &Owner,
        id: UploadId,
        received: Received,
        digest: &Digest,
    ) -> Result<()> {
        let before = received.before.clone();
        match self.try_commit(owner, id, received, digest).await {
            Err(Error::DigestMismatch { given, computed }) => {
                self.forget_upload(id).await?;
                Err(Error::DigestMismatch { given, computed })
            }
            // Ended on another node, unless the store lost its bytes: as long as it is open, that node may be committing.
            Err(Error::UploadUnknown(id)) if self.has_ended(&id).await? => {
                self.clear_upload(&id).await?;
                Err(Error::UploadUnknown(id))
            }
            // The commit may have happened after all: on a disk of this node alone, the marker settles it.
            Err(error @ Error::Unavailable(_)) if self.0.blobs.lists_leftovers() => Err(error),
            Err(error) => {
                self.take_back(&id, &before).await;
                Err(error)
            }
            Ok(()) => {
                // The marker of the publication, and what a failed request may have left of a small upload.
                if let Err(error) = self.0.blobs.discard(&id).await {
                    tracing::warn!(upload = %id, %error, "could not tidy up after an upload; the next start will");
                }
                Ok(())
            }
        }
    }

    async fn try_commit(
        &self,
        owner: &Owner,
        id: UploadId,
        received: Received,
        digest: &Digest,
    ) -> Result<()> {
        self.check_writable()?;
        let size = received.progress.offset;
        // Where nodes share the store, another may have gone on with the session.
        let stands_at =
            (received.booked && !self.0.blobs.lists_leftovers()).then(|| received.before.offset());
        let commit = Commit { owner, id, digest, size, stands_at };
        if let Some(held) = received.held {
            check(digest, Digest::of(digest.algorithm(), &held))?;
            return self.record(&commit, Some(Placement::Inline(held))).await.map(drop);
        }
        if received.progress.hasher.algorithm() == digest.algorithm() {
            check(digest, received.progress.hasher.finish())?;
            // Bytes that lie there already need no second name on disk.
            if self.is_intact(digest).await? && self.record(&commit, None).await? != Inserted::Missing {
                return Ok(());
            }
            let location = self.publish(&id, digest).await?;
            return self.commit_published(&commit, location).await;
        }
        // The bytes were hashed with another algorithm than the digest's: hash them again where they lie.
        let location = self.publish(&id, digest).await?;
        let reader = self.0.blobs.open_uncached(&location).await?;
        let computed = hash_stored(reader.as_ref(), digest.algorithm()).await?;
        if computed != *digest {
            self.0.blobs.delete(&location).await?;
        }
        check(digest, computed)?;
        self.commit_published(&commit, location).await
    }

    async fn publish(&self, id: &UploadId, digest: &Digest) -> Result<Location> {
        self.0.blobs.publish(id, digest).await.map_err(|error| match error {
            berth_blobs::Error::UploadLost => Error::UploadUnknown(*id),
            berth_blobs::Error::UploadBusy => Error::UploadBusy(*id),
            other => other.into(),
        })
    }

    /// Tells whether a session has no row any more: then nobody can commit it.
    pub(crate) async fn has_ended(&self, id: &UploadId) -> Result<bool> {
        let text = id.to_string();
        Ok(self.0.catalog.read(async |r| upload::find(r, &text).await).await?.is_none())
    }

    /// Tells whether the catalog knows bytes of this digest and they are where it says, in full length. If they are not, they
    /// are quarantined, so that the bytes in hand heal the blob.
    async fn is_intact(&self, digest: &Digest) -> Result<bool> {
        let known = self.0.catalog.read(async |r| blob::find_anywhere(r, digest).await).await?;
        let Some((id, size, placement)) = known else { return Ok(false) };
        let Placement::Stored(location) = &placement else { return Ok(true) };
        let location = Location::from(location.as_str());
        let mut stored = self.0.blobs.size(&location).await;
        if self.may_lie_elsewhere(&location, &stored).await? {
            stored = self.0.blobs.size(&location).await;
        }
        let reason = match stored {
            Ok(stored) if stored == size => return Ok(true),
            Ok(_) => "its file has another size",
            Err(berth_blobs::Error::NotFound) => "its bytes are gone",
            Err(error) => return Err(error.into()),
        };
        self.quarantine(*digest, id, &placement, reason).await?;
        Ok(false)
    }

    async fn commit_published(&self, commit: &Commit<'_>, location: Location) -> Result<()> {
        let placement = Placement::Stored(location.as_str().to_owned());
        match self.record(commit, Some(placement)).await {
            Ok(Inserted::Used) => Ok(()),
            // Another upload of the same bytes was first.
            Ok(Inserted::Known | Inserted::Missing) => {
                self.0.blobs.delete(&location).await?;
                Ok(())
            }
            // An error is the commit's own word that it did not happen, unless the catalog can't say even that. Where nodes
            // share the store, another may have committed this very location.
            Err(error) => match self.is_committed(location.as_str()).await {
                Ok(true) => Ok(()),
                Ok(false) if matches!(error, Error::UploadUnknown(_)) => {
                    self.0.blobs.delete(&location).await?;
                    Err(error)
                }
                Ok(false) | Err(_) => Err(error),
            },
        }
    }

    /// The unit of work: the blob is known and linked, the session has ended.
    async fn record(&self, commit: &Commit<'_>, offered: Option<Placement>) -> Result<Inserted> {
        let Commit { owner, id, digest, size, stands_at } = *commit;
        let (owner, text, digest, now) = (owner.clone(), id.to_string(), *digest, self.now());
        self.0
            .catalog
            .write(async move |tx| {
                if let Some(offset) = stands_at {
                    match upload::find(tx, &text).await? {
                        Some(session) if session.size == offset => {}
                        Some(_) => return Err(Error::UploadBusy(id)),
                        None => return Err(Error::UploadUnknown(id)),
                    }
                }
                let (name, found) = (&owner.repository, async |tx: &mut Tx| {
                    owner.founder.found(tx, &owner.repository, now).await
                });
                let inserted = blob::push(tx, name, found, &digest, size, offered.as_ref(), now).await?;
                if inserted != Inserted::Missing {
                    upload::finish(tx, &text).await?;
                }
                Ok::<_, Error>(inserted)
            })
            .await
    }
}

fn check(given: &Digest, computed: Digest) -> Result<()> {
    if computed == *given { Ok(()) } else { Err(Error::DigestMismatch { given: *given, computed }) }
}
