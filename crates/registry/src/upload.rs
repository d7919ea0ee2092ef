//! Uploads: sessions that bring a blob in one piece or in many.
//!
//! A session belongs to one repository and one caller. Bytes are acknowledged once they and the hash state over them are
//! durable; whatever came after that is cut off when the session goes on.

mod commit;
mod receive;

use berth_access::{Permit, Push};
use berth_blobs::{Hasher, Leftover, Progress, UploadId};
use berth_catalog::upload;
use berth_oci::{Algorithm, ContentRange, Digest, RepositoryName};
use futures_util::Stream;

use crate::project::Founder;
use crate::{BodyResult, Error, Registry, Result};
use receive::Received;

/// Where a session stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The session.
    pub id: UploadId,
    /// Acknowledged bytes.
    pub offset: u64,
}

/// Who a request acts for; outlives the request, so that a client that goes away cuts nothing short.
#[derive(Debug, Clone)]
struct Owner {
    repository: RepositoryName,
    founder: Founder,
}

/// A session as loaded from the catalog.
#[derive(Debug)]
struct Session {
    id: UploadId,
    progress: Progress,
    /// The bytes so far while they are few; `None` once they lie in the blob store.
    held: Option<bytes::Bytes>,
    /// Whether the request brings the last bytes.
    ends: bool,
    /// Who brings an upload that has no row, and needs none while its bytes are held or the store lists what it has.
    unbooked: Option<Owner>,
}

/// Keeps other requests out of a session.
#[derive(Debug)]
struct Writing<'a> {
    registry: &'a Registry,
    id: UploadId,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.registry.0.writing.lock().remove(&self.id);
    }
}

impl Registry {
    /// Starts a session; `algorithm` is that of the digest the blob will have, sha256 unless the client says otherwise.
    pub async fn start_upload(&self, permit: &Permit<Push>, algorithm: Option<Algorithm>) -> Result<Upload> {
        let id = UploadId::random();
        self.book(id, Owner::of(permit), algorithm.unwrap_or_default()).await?;
        Ok(Upload { id, offset: 0 })
    }

    /// Gives an upload its row.
    async fn book(&self, id: UploadId, owner: Owner, algorithm: Algorithm) -> Result<()> {
        let (text, state, now) = (id.to_string(), Hasher::new(algorithm).save(), self.now());
        self.0
            .catalog
            .write(async move |tx| {
                let repository = owner.founder.ensure(tx, &owner.repository, now).await?;
                Ok(upload::insert(tx, &text, &repository, &owner.founder.caller, &state, now).await?)
            })
            .await
    }

    /// Tells where a session stands.
    pub async fn upload_status(&self, permit: &Permit<Push>, id: &UploadId) -> Result<Upload> {
        let session = self.load(&Owner::of(permit), id).await?;
        Ok(Upload { id: *id, offset: session.progress.offset })
    }

    /// Appends a chunk. With a `range` it must start where the session stands and bring exactly its bytes.
    ///
    /// If the body ends early, the bytes that came are kept and acknowledged by the next status.
    pub async fn append_upload<S>(
        &self,
        permit: &Permit<Push>,
        id: &UploadId,
        range: Option<ContentRange>,
        body: S,
    ) -> Result<Upload>
    where
        S: Stream<Item = BodyResult> + Send + Unpin + 'static,
    {
        let (registry, owner, id) = (self.clone(), Owner::of(permit), *id);
        to_completion(async move {
            let _writing = registry.enter(id)?;
            let session = registry.load(&owner, &id).await?;
            let received = registry.receive(session, range, body).await?;
            registry.acknowledge(&id, &received).await?;
            received.check(range)?;
            Ok(Upload { id, offset: received.progress.offset })
        })
        .await
    }

    /// Ends a session with its last (or only, or no) bytes: the blob exists when this returns.
    pub async fn finish_upload<S>(
        &self,
        permit: &Permit<Push>,
        id: &UploadId,
        range: Option<ContentRange>,
        body: S,
        digest: &Digest,
    ) -> Result<()>
    where
        S: Stream<Item = BodyResult> + Send + Unpin + 'static,
    {
        let (registry, owner, id, digest) = (self.clone(), Owner::of(permit), *id, *digest);
        to_completion(async move {
            let _writing = registry.enter(id)?;
            let mut session = registry.load(&owner, &id).await?;
            session.ends = true;
            if session.progress.offset == 0 {
                session.progress = Progress::start(digest.algorithm());
            }
            let received = registry.receive(session, range, body).await?;
            if let Err(error) = received.check(range) {
                registry.acknowledge(&id, &received).await?;
                return Err(error);
            }
            registry.commit(&owner, id, received, &digest).await
        })
        .await
    }

    /// Brings a blob in one request, without a session.
    pub async fn push_blob<S>(&self, permit: &Permit<Push>, body: S, digest: &Digest) -> Result<()>
    where
        S: Stream<Item = BodyResult> + Send + Unpin + 'static,
    {
        let (registry, owner, digest) = (self.clone(), Owner::of(permit), *digest);
        to_completion(async move {
            let id = UploadId::random();
            let result = registry.push_unbooked(&owner, id, body, &digest).await;
            // What may have happened after all, or must not be touched now, is left to the expiry of its row; a wrong digest's
            // was forgotten where it was found.
            let is_left =
                matches!(result, Err(Error::Unavailable(_) | Error::ReadOnly | Error::DigestMismatch { .. }));
            if result.is_err() && !is_left {
                registry.unbook(id).await;
            }
            result
        })
        .await
    }

    async fn push_unbooked<S>(&self, owner: &Owner, id: UploadId, body: S, digest: &Digest) -> Result<()>
    where
        S: Stream<Item = BodyResult> + Send + Unpin,
    {
        let session = Session {
            id,
            progress: Progress::start(digest.algorithm()),
            held: Some(bytes::Bytes::new()),
            ends: true,
            unbooked: Some(owner.clone()),
        };
        let received = self.receive(session, None, body).await?;
        if let Err(error) = received.check(None) {
            self.take_back(&id, &received.before).await;
            return Err(error);
        }
        self.commit(owner, id, received, digest).await
    }

    /// Forgets an upload that failed, if it was given a row.
    async fn unbook(&self, id: UploadId) {
        if self.0.blobs.lists_leftovers() {
            return;
        }
        if let Err(error) = self.forget_upload(id).await {
            tracing::warn!(upload = %id, %error, "could not forget an upload that failed, it will expire");
        }
    }

    /// Ends a session and forgets its bytes.
    pub async fn cancel_upload(&self, permit: &Permit<Push>, id: &UploadId) -> Result<()> {
        let _writing = self.enter(*id)?;
        self.load(&Owner::of(permit), id).await?;
        self.forget_upload(*id).await.map(drop)
    }

    /// Deletes a session, then its bytes. Returns whether it was there.
    pub(crate) async fn forget_upload(&self, id: UploadId) -> Result<bool> {
        let text = id.to_string();
        let deleted = self.0.catalog.write(async move |tx| upload::delete(tx, &text).await).await?;
        self.clear_upload(&id).await?;
        Ok(deleted)
    }

    /// Ends a session that nobody touched since `before`, unless a request is writing to it.
    pub(crate) async fn expire_upload(&self, id: UploadId, before: jiff::Timestamp) -> Result<bool> {
        let Ok(_writing) = self.enter(id) else { return Ok(false) };
        let text = id.to_string();
        let expired =
            self.0.catalog.write(async move |tx| upload::delete_stale(tx, &text, before).await).await?;
        if expired {
            self.clear_upload(&id).await?;
        }
        Ok(expired)
    }

    /// Removes what an upload left whose session has ended: nobody can commit it any more.
    async fn clear_upload(&self, id: &UploadId) -> Result<()> {
        let blobs = &self.0.blobs;
        while let Some(Leftover { location: Some(location), .. }) = blobs.leftover(id).await? {
            if self.is_committed(location.as_str()).await? || blobs.delete(&location).await?.is_none() {
                break;
            }
        }
        Ok(blobs.discard(id).await?)
    }

    /// Removes all that an upload left whose session has ended, also what it has no note of: for a scrub.
    pub(crate) async fn sweep_upload(&self, id: &UploadId) -> Result<()> {
        self.clear_upload(id).await?;
        Ok(self.0.blobs.sweep(id).await?)
    }

    fn enter(&self, id: UploadId) -> Result<Writing<'_>> {
        if self.0.writing.lock().insert(id) {
            return Ok(Writing { registry: self, id });
        }
        Err(Error::UploadBusy(id))
    }

    /// Loads a session of this repository and caller; to anyone else it does not exist.
    async fn load(&self, owner: &Owner, id: &UploadId) -> Result<Session> {
        let text = id.to_string();
        let row = self.0.catalog.read(async |r| upload::find(r, &text).await).await?;
        let row = row
            .filter(|row| row.repository == owner.repository && row.caller == owner.founder.caller)
            .ok_or(Error::UploadUnknown(*id))?;
        // State saved by another version of the hash library can't be used: the client must start again.
        let hasher = Hasher::restore(&row.hash_state).ok_or(Error::UploadUnknown(*id))?;
        let progress = Progress { offset: row.size, hasher };
        Ok(Session { id: *id, progress, held: row.content, ends: false, unbooked: None })
    }

    /// Makes what a request brought part of the session.
    async fn acknowledge(&self, id: &UploadId, received: &Received) -> Result<()> {
        self.check_writable()?;
        let (id, now) = (*id, self.now());
        let (text, from, to) = (id.to_string(), received.before.offset(), received.progress.offset);
        let (state, held) = (received.progress.hasher.save(), received.held.clone());
        let advanced = self
            .0
            .catalog
            .write(async move |tx| upload::advance(tx, &text, from, to, &state, held.as_deref(), now).await)
            .await?;
        if advanced { Ok(()) } else { Err(Error::UploadUnknown(id)) }
    }
}

impl Owner {
    fn of(permit: &Permit<Push>) -> Self {
        Self { repository: permit.repository().clone(), founder: Founder::of(permit) }
    }
}

/// Runs work in a task of its own: a client that disconnects drops the handler, not the work.
async fn to_completion<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    tokio::spawn(work).await.unwrap_or_else(|panic| Err(Error::Internal(panic.into())))
}
