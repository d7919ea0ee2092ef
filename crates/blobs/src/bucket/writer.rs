//! Feeds an upload to the bucket.

use std::{io::ErrorKind, mem, sync::Arc};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use object_store::{GetOptions, ObjectStore as _};

use super::{
    Inner,
    error::map,
    keys::state_name,
    marker::State,
    parts::Parts,
    publish::{Sealed, Stage},
};
use crate::{BlobWriter, Error, Location, Progress, Result, UploadId};

/// Collects bytes to parts. Nothing of it counts until a state names it.
#[derive(Debug)]
pub(super) struct BucketWriter {
    inner: Arc<Inner>,
    upload: UploadId,
    progress: Progress,
    part_bytes: usize,
    parts: Option<Parts>,
    tail: BytesMut,
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
            part_bytes: inner.part_bytes,
            parts: None,
            tail: BytesMut::new(),
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
        writer.part_bytes = state.part_bytes;
        if let Some(attempt) = state.attempt {
            // Parts that were joined take no more.
            if inner.size(&inner.keys.blob(&attempt.location)).await?.is_some() {
                writer.joined = Some(attempt.location);
                return Ok(writer);
            }
            writer.parts = Some(Parts::resume(inner, attempt, state.parts));
        }
        writer.tail = BytesMut::from(&state.tail[..]);
        Ok(writer)
    }

    /// Brings the acknowledged bytes to a new attempt, if the last one can't go on.
    async fn begin(&mut self) -> Result<()> {
        let Some(location) = self.joined.take() else { return Ok(()) };
        let fresh = Progress::start(self.progress.hasher.algorithm());
        let expected = mem::replace(&mut self.progress, fresh);
        self.part_bytes = self.inner.part_bytes;
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
            let room = self.part_bytes.saturating_sub(self.tail.len()).max(1);
            self.tail.extend_from_slice(&chunk.split_to(room.min(chunk.len())));
            if self.tail.len() >= self.part_bytes {
                let full = mem::take(&mut self.tail).freeze();
                let mut parts = match self.parts.take() {
                    Some(parts) => parts,
                    None => Parts::start(&self.inner, &self.upload).await?,
                };
                parts.send(full).await?;
                self.parts = Some(parts);
            }
        }
        Ok(())
    }

    /// Waits until everything sent has arrived.
    async fn settle(&mut self) -> Result<State> {
        let (attempt, parts) = match &mut self.parts {
            Some(parts) => (Some(parts.attempt.clone()), parts.settle().await?),
            None => (None, Vec::new()),
        };
        Ok(State {
            attempt,
            part_bytes: self.part_bytes,
            parts,
            before: self.before.take(),
            tail: mem::take(&mut self.tail).freeze(),
        })
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
        let state = self.settle().await?;
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
        let State { attempt, parts, tail, .. } = self.settle().await?;
        let sealed = Sealed { attempt, parts, tail };
        self.inner.stages.lock().insert(self.upload, Stage::Sealed(sealed));
        Ok(self.progress)
    }
}
