//! Feeds an upload to the bucket.

use std::{io::ErrorKind, mem, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use object_store::{GetOptions, ObjectStore as _, PutPayloadMut};

use super::{
    Inner,
    error::map,
    keys::state_name,
    marker::State,
    parts::Parts,
    plan::Plan,
    publish::{Sealed, Stage},
};
use crate::{BlobWriter, Error, Location, Progress, Result, UploadId};

/// Pieces smaller than this are joined, larger ones sent from where they lie.
const COPIED_BYTES: usize = 16 << 10;
/// Bytes that pieces are joined to.
const JOINED_BYTES: usize = 64 << 10;

/// Collects bytes to parts. Nothing of it counts until a state names it.
#[derive(Debug)]
pub(super) struct BucketWriter {
    inner: Arc<Inner>,
    upload: UploadId,
    progress: Progress,
    plan: Plan,
    parts: Option<Parts>,
    /// The bytes behind the parts, in the pieces that they came in.
    tail: PutPayloadMut,
    /// The state that this writer continues.
    before: Option<String>,
    /// The state before that, of no use any more.
    stale: Option<String>,
    /// Where the bytes so far lie, joined by a publication that nobody committed.
    joined: Option<Location>,
    failed: bool,
}

impl BucketWriter {
    /// Opens an upload where its progress stands. Changes nothing in the bucket: another node may be committing it.
    pub(super) async fn open(inner: &Arc<Inner>, upload: &UploadId, progress: Progress) -> Result<Self> {
        let mut writer = Self {
            inner: Arc::clone(inner),
            upload: *upload,
            progress,
            plan: Plan::new(inner.part_bytes),
            parts: None,
            tail: pieces(),
            before: None,
            stale: None,
            joined: None,
            failed: false,
        };
        if writer.progress.offset == 0 {
            return Ok(writer);
        }
        let name = state_name(&writer.progress);
        let state = inner.read_state(upload, &name).await?;
        if state.bytes() != writer.progress.offset {
            return Err(Error::UploadLost);
        }
        writer.before = Some(name);
        writer.stale = state.before;
        writer.plan = state.plan;
        if let Some(attempt) = state.attempt {
            // Parts that were joined take no more.
            if inner.size(&inner.keys.blob(&attempt.location)).await?.is_some() {
                writer.joined = Some(attempt.location);
                return Ok(writer);
            }
            writer.parts = Some(Parts::resume(inner, upload, attempt, state.parts));
        }
        writer.tail.push(state.tail);
        Ok(writer)
    }

    /// Brings the acknowledged bytes to a new attempt, if the last one can't go on.
    async fn begin(&mut self) -> Result<()> {
        let Some(location) = self.joined.take() else { return Ok(()) };
        let fresh = Progress::start(self.progress.hasher.algorithm());
        let expected = mem::replace(&mut self.progress, fresh);
        self.plan = Plan::new(self.inner.part_bytes);
        let doing = "take an upload back";
        let key = self.inner.keys.blob(&location);
        let options = GetOptions::new().with_range(Some(0..expected.offset));
        let object = self.inner.store.get_opts(&key, options).await.map_err(|error| map(error, doing))?;
        let mut stream = object.into_stream();
        while let Some(chunk) = stream.next().await {
            self.append(chunk.map_err(|error| map(error, doing))?).await?;
        }
        if state_name(&self.progress) == state_name(&expected) { Ok(()) } else { Err(Error::UploadLost) }
    }

    /// Hashes bytes, and sends the parts that they fill.
    async fn append(&mut self, mut chunk: Bytes) -> Result<()> {
        self.progress.hasher.update(&chunk);
        self.progress.offset += chunk.len() as u64;
        while !chunk.is_empty() {
            let part_bytes = self.plan.size_of(self.parts.as_ref().map_or(0, Parts::next));
            let room = part_bytes.saturating_sub(self.tail.content_length()).max(1);
            self.keep(chunk.split_to(room.min(chunk.len())));
            if self.tail.content_length() >= part_bytes {
                self.send().await?;
            }
        }
        Ok(())
    }

    /// Adds bytes that fit into the part.
    fn keep(&mut self, piece: Bytes) {
        if piece.len() < COPIED_BYTES {
            self.tail.extend_from_slice(&piece);
        } else {
            self.tail.push(piece);
        }
    }

    /// Sends a part that is full.
    async fn send(&mut self) -> Result<()> {
        let part = mem::replace(&mut self.tail, pieces()).freeze();
        let parts = self.parts.get_or_insert_with(|| Parts::new(&self.inner, &self.upload));
        parts.send(part, self.plan).await
    }

    /// Waits until everything sent has arrived.
    async fn settle(&mut self) -> Result<Sealed> {
        let (attempt, parts) = match &mut self.parts {
            Some(parts) => {
                let tags = parts.settle().await?;
                (parts.attempt(), tags)
            }
            None => (None, Vec::new()),
        };
        Ok(Sealed { attempt, parts, tail: mem::replace(&mut self.tail, pieces()).freeze() })
    }

    fn check(&self) -> Result<()> {
        if self.failed {
            return Err(Error::Io(ErrorKind::BrokenPipe.into(), "the upload has failed before".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl BlobWriter for BucketWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.check()?;
        // Also when this call is dropped half way.
        self.failed = true;
        self.begin().await?;
        self.append(chunk).await?;
        self.failed = false;
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Progress> {
        self.check()?;
        let name = state_name(&self.progress);
        if self.before.as_ref() == Some(&name) {
            return Ok(self.progress);
        }
        let Sealed { attempt, parts, tail } = self.settle().await?;
        let (plan, before) = (self.plan, self.before.take());
        let state = State { attempt, plan, parts, before, tail: tail.into() };
        let (inner, upload, outdated) = (&self.inner, &self.upload, self.stale.take());
        let change = inner.change_head(upload, |head| {
            head.states.retain(|state| *state != name && Some(state) != outdated.as_ref());
            head.states.push(name.clone());
            head.current = Some(name.clone());
        });
        let (written, changed) = tokio::join!(inner.write_state(upload, &name, &state), change);
        written.and(changed)?;
        if let Some(name) = outdated
            && let Err(error) = inner.delete_object(&inner.keys.state(upload, &name)).await
        {
            tracing::warn!(%upload, %error, "could not remove an old state of an upload, it stays in the bucket");
        }
        Ok(self.progress)
    }

    async fn seal(mut self: Box<Self>) -> Result<Progress> {
        self.check()?;
        self.begin().await?;
        let sealed = self.settle().await?;
        self.inner.stages.lock().insert(self.upload, Stage::Sealed(sealed));
        Ok(self.progress)
    }
}

fn pieces() -> PutPayloadMut {
    PutPayloadMut::new().with_block_size(JOINED_BYTES)
}
