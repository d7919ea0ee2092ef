//! Takes the bytes of one request: into memory while they are few, else into the blob store.

use berth_blobs::{BlobWriter, Progress, UploadId};
use berth_oci::ContentRange;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};

use super::{Owner, Session};
use crate::room::LOOK_BYTES;
use crate::{BodyError, BodyResult, Error, Registry, Result};

/// Where an upload stood before a request: what is acknowledged, and must outlive the request's failure.
#[derive(Debug, Clone)]
pub(super) struct Before {
    progress: Progress,
    /// Whether the bytes so far are held in the session's row (or there are none), so that the store needs to keep nothing.
    held: bool,
}

impl Before {
    /// Acknowledged bytes.
    pub(super) fn offset(&self) -> u64 {
        self.progress.offset
    }
}

/// What one request brought.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) before: Before,
    /// Where it stands now; the bytes are durable, or held.
    pub(super) progress: Progress,
    /// All of the upload's bytes, while they are few.
    pub(super) held: Option<Bytes>,
    /// Whether the session has a row.
    pub(super) booked: bool,
    /// Why the body ended early.
    failed: Option<BodyError>,
}

impl Received {
    /// Tells whether the request brought what it announced.
    pub(super) fn check(&self, range: Option<ContentRange>) -> Result<()> {
        if let Some(failed) = &self.failed {
            return Err(Error::Body(failed.clone()));
        }
        let received = self.progress.offset - self.before.offset();
        match range {
            Some(range) if range.size() != received => {
                Err(Error::SizeMismatch { announced: range.size(), received })
            }
            _ => Ok(()),
        }
    }
}

/// Where bytes go.
enum Sink {
    Held { bytes: BytesMut, progress: Box<Progress>, unbooked: Option<Owner> },
    Stored { writer: Box<dyn BlobWriter>, offset: u64 },
}

impl Registry {
    /// Reads a body to its end. On a failure of the store the session is left as it was acknowledged.
    pub(super) async fn receive<S>(
        &self,
        session: Session,
        range: Option<ContentRange>,
        body: S,
    ) -> Result<Received>
    where
        S: Stream<Item = BodyResult> + Send + Unpin,
    {
        let from = session.progress.offset;
        if range.is_some_and(|range| range.first != from) {
            return Err(Error::RangeMismatch { expected: from });
        }
        self.check_room().await?;
        let id = session.id;
        let before = Before { progress: session.progress.clone(), held: session.held.is_some() };
        match self.fill(session, &before, range, body).await {
            Ok(received) => Ok(received),
            Err(error) => {
                self.take_back(&id, &before).await;
                Err(error)
            }
        }
    }

    async fn fill<S>(
        &self,
        session: Session,
        before: &Before,
        range: Option<ContentRange>,
        mut body: S,
    ) -> Result<Received>
    where
        S: Stream<Item = BodyResult> + Send + Unpin,
    {
        let (id, ends) = (session.id, session.ends);
        let mut failed = None;
        let mut sink = self.open_sink(session).await?;
        while let Some(chunk) = body.next().await {
            // An upload of an hour ends when the registry becomes read-only, not an hour later.
            self.check_writable()?;
            match chunk {
                Ok(chunk) => sink = self.put(sink, &id, chunk).await?,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let (progress, held, booked) = match sink {
            Sink::Held { bytes, progress, unbooked } => (*progress, Some(bytes.freeze()), unbooked.is_none()),
            Sink::Stored { writer, offset } => {
                let is_whole = range.is_none_or(|range| range.size() == offset - before.offset());
                // What came short is acknowledged, for the client to go on.
                let sealed = ends && failed.is_none() && is_whole;
                let progress = if sealed { writer.seal().await? } else { writer.finish().await? };
                (progress, None, true)
            }
        };
        Ok(Received { before: before.clone(), progress, held, booked, failed })
    }

    async fn open_sink(&self, session: Session) -> Result<Sink> {
        if let Some(held) = session.held {
            return Ok(Sink::Held {
                bytes: BytesMut::from(&held[..]),
                progress: Box::new(session.progress),
                unbooked: session.unbooked,
            });
        }
        let offset = session.progress.offset;
        Ok(Sink::Stored { writer: self.writer(&session.id, session.progress).await?, offset })
    }

    async fn put(&self, sink: Sink, id: &UploadId, chunk: Bytes) -> Result<Sink> {
        let limit = self.0.config.limits.blob_bytes;
        match sink {
            Sink::Held { mut bytes, mut progress, unbooked }
                if bytes.len() + chunk.len() <= self.inline_limit() =>
            {
                progress.hasher.update(&chunk);
                progress.offset += chunk.len() as u64;
                bytes.extend_from_slice(&chunk);
                Ok(Sink::Held { bytes, progress, unbooked })
            }
            Sink::Held { bytes, progress, unbooked } => {
                let algorithm = progress.hasher.algorithm();
                if let Some(owner) = unbooked
                    && !self.0.blobs.lists_leftovers()
                {
                    // After a crash, its row is all that tells of its bytes.
                    self.book(*id, owner, algorithm).await?;
                }
                let mut writer = self.writer(id, Progress::start(algorithm)).await?;
                let offset = (bytes.len() + chunk.len()) as u64;
                if !bytes.is_empty() {
                    writer.write(bytes.freeze()).await?;
                }
                writer.write(chunk).await?;
                within(limit, offset).map(|()| Sink::Stored { writer, offset })
            }
            Sink::Stored { mut writer, offset: before } => {
                let offset = before + chunk.len() as u64;
                within(limit, offset)?;
                if before / LOOK_BYTES != offset / LOOK_BYTES {
                    self.check_room().await?;
                }
                writer.write(chunk).await?;
                Ok(Sink::Stored { writer, offset })
            }
        }
    }

    async fn writer(&self, id: &UploadId, progress: Progress) -> Result<Box<dyn BlobWriter>> {
        self.0.blobs.writer(id, progress).await.map_err(|error| match error {
            berth_blobs::Error::UploadLost => Error::UploadUnknown(*id),
            berth_blobs::Error::UploadBusy => Error::UploadBusy(*id),
            other => other.into(),
        })
    }

    /// Puts the store back to where the upload stood before a request that failed: what it published returns, what it wrote
    /// is cut off, so that a full disk is no fuller than before. A store that many nodes share keeps what another may need
    /// until the session ends.
    pub(super) async fn take_back(&self, id: &UploadId, before: &Before) {
        let blobs = &self.0.blobs;
        let progress = if before.held {
            Progress::start(before.progress.hasher.algorithm())
        } else {
            before.progress.clone()
        };
        let cut = blobs.writer(id, progress).await.map(drop);
        let cut = if before.held && blobs.lists_leftovers() { blobs.discard(id).await } else { cut };
        if let Err(error) = cut {
            tracing::warn!(upload = %id, %error, "could not cut off unacknowledged bytes; the next request or start will");
        }
    }

    pub(super) fn inline_limit(&self) -> usize {
        self.0.config.storage.inline_bytes
    }
}

fn within(limit: u64, size: u64) -> Result<()> {
    if size > limit { Err(Error::BlobTooLarge { limit }) } else { Ok(()) }
}
