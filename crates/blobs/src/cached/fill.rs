//! A blob that is coming: one stream fills its file, and everybody who wants it reads along.

use std::{fs::File, os::unix::fs::FileExt as _, sync::Arc};

use async_trait::async_trait;
use berth_oci::Algorithm;
use bytes::Bytes;
use tokio::sync::watch;

use super::{Inner, directory::Kept};
use crate::{BlobReader, Error, Hasher, Result, disk::blocking, error::Context as _};

/// Bytes fetched at a time.
const STEP: usize = 1 << 20;
/// Who reads further ahead than this doesn't wait.
const AHEAD: u64 = 8 << 20;

/// Reads a blob while it comes.
#[derive(Debug)]
pub(super) struct Fill {
    reader: Arc<dyn BlobReader>,
    progress: watch::Receiver<Came>,
    /// Tells this coming of the blob from others.
    number: u64,
}

/// How much of a blob is there.
#[derive(Debug, Clone, Default)]
pub(super) struct Came {
    bytes: u64,
    file: Option<Arc<File>>,
    ended: bool,
}

impl Fill {
    pub(super) fn new(reader: &Arc<dyn BlobReader>, number: u64) -> (Self, watch::Sender<Came>) {
        let (sender, progress) = watch::channel(Came::default());
        (Self { reader: Arc::clone(reader), progress, number }, sender)
    }

    /// Waits until bytes are there; `None` if they are not to be waited for.
    async fn file(&self, offset: u64, end: u64) -> Option<Arc<File>> {
        let mut progress = self.progress.clone();
        if offset > progress.borrow().bytes.saturating_add(AHEAD) {
            return None;
        }
        let came = progress.wait_for(|came| came.bytes >= end || came.ended).await.ok()?;
        if came.bytes >= end { came.file.clone() } else { None }
    }
}

#[async_trait]
impl BlobReader for Fill {
    fn size(&self) -> u64 {
        self.reader.size()
    }

    fn try_read(&self, _offset: u64, _len: usize) -> Option<Result<Bytes>> {
        None
    }

    async fn read(&self, offset: u64, len: usize) -> Result<Bytes> {
        let end = self.size().min(offset.saturating_add(len as u64));
        let len = usize::try_from(end.saturating_sub(offset)).unwrap_or(len);
        if len == 0 {
            return Ok(Bytes::new());
        }
        if let Some(file) = self.file(offset, end).await {
            let read = blocking(move || {
                let mut bytes = vec![0; len];
                file.read_exact_at(&mut bytes, offset).context(|| "cannot read the disk cache".to_owned())?;
                Ok(Bytes::from(bytes))
            });
            match read.await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => tracing::warn!(%error, "a blob is read past the disk cache"),
            }
        }
        self.reader.read(offset, len).await
    }
}

impl Inner {
    /// Brings a blob to the disk.
    pub(super) async fn fill(
        self: &Arc<Self>,
        key: String,
        coming: &Arc<Fill>,
        progress: watch::Sender<Came>,
    ) {
        let filled = self.try_fill(&key, coming, &progress).await;
        progress.send_modify(|came| came.ended = true);
        if let Err(error) = filled {
            tracing::warn!(%error, "could not bring a blob to the disk cache, it is served without");
            if let Err(error) = self.give_up(&key, coming).await {
                tracing::error!(%error, "could not remove a file of the disk cache, the next start will");
            }
        }
    }

    async fn give_up(self: &Arc<Self>, key: &str, coming: &Arc<Fill>) -> Result<()> {
        self.index.lock().end(key, coming);
        let (inner, key, number) = (Arc::clone(self), key.to_owned(), coming.number);
        blocking(move || inner.directory.give_up(&key, number)).await
    }

    async fn try_fill(
        self: &Arc<Self>,
        key: &str,
        coming: &Arc<Fill>,
        progress: &watch::Sender<Came>,
    ) -> Result<()> {
        let (size, number) = (coming.size(), coming.number);
        let file = {
            let (inner, key) = (Arc::clone(self), key.to_owned());
            Arc::new(blocking(move || inner.directory.create(&key, number)).await?)
        };
        progress.send_modify(|came| came.file = Some(Arc::clone(&file)));
        let (mut hasher, mut offset) = (Hasher::new(Algorithm::Sha256), 0);
        while offset < size {
            let bytes = coming.reader.read(offset, STEP).await?;
            if bytes.is_empty() {
                return Err(Error::Truncated { stored: offset, expected: size });
            }
            let (file, at, count) = (Arc::clone(&file), offset, bytes.len() as u64);
            hasher = blocking(move || {
                hasher.update(&bytes);
                file.write_all_at(&bytes, at).context(|| "cannot write the disk cache".to_owned())?;
                Ok(hasher)
            })
            .await?;
            offset += count;
            progress.send_modify(|came| came.bytes = offset);
        }
        if !self.index.lock().is_coming(key, coming) {
            return self.give_up(key, coming).await;
        }
        let kept = Kept { key: key.to_owned(), size, sha256: hasher.finish().hex(), verified: true };
        let (inner, named) = (Arc::clone(self), kept.clone());
        blocking(move || inner.directory.complete(&file, number, &named)).await?;
        let surplus = self.index.lock().complete(coming, kept);
        self.remove(surplus).await;
        Ok(())
    }
}
