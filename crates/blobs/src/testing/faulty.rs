//! Makes any store fail as planned.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use berth_oci::Digest;
use bytes::Bytes;
use jiff::Timestamp;

use super::{Faults, Operation, faults::Due};
use crate::{BlobReader, BlobWriter, Blobs, Capacity, Leftover, Location, Progress, Result, UploadId};

/// Wraps a store; its calls fail as its [`Faults`] say, the others go through.
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<dyn Blobs>,
    faults: Faults,
}

impl Faulty {
    /// Wraps a store.
    pub fn new(inner: Arc<dyn Blobs>, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

impl Faults {
    async fn call<T>(&self, operation: Operation, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        match self.next(operation, 0) {
            None => work.await,
            Some(due) if due.late => {
                work.await?;
                due.failure.fail().await
            }
            Some(due) => due.failure.fail().await,
        }
    }
}

#[async_trait]
impl Blobs for Faulty {
    async fn writer(&self, upload: &UploadId, progress: Progress) -> Result<Box<dyn BlobWriter>> {
        let inner = self.faults.call(Operation::Writer, self.inner.writer(upload, progress)).await?;
        Ok(Box::new(FaultyWriter { inner, faults: self.faults.clone() }))
    }

    async fn publish(&self, upload: &UploadId, digest: &Digest) -> Result<Location> {
        self.faults.call(Operation::Publish, self.inner.publish(upload, digest)).await
    }

    async fn adopt(&self, upload: &UploadId, file: &Path) -> Result<bool> {
        self.inner.adopt(upload, file).await
    }

    async fn discard(&self, upload: &UploadId) -> Result<()> {
        self.faults.call(Operation::Discard, self.inner.discard(upload)).await
    }

    async fn open(&self, location: &Location) -> Result<Arc<dyn BlobReader>> {
        let inner = self.faults.call(Operation::Open, self.inner.open(location)).await?;
        Ok(Arc::new(FaultyReader { inner, faults: self.faults.clone() }))
    }

    async fn size(&self, location: &Location) -> Result<u64> {
        self.faults.call(Operation::Size, self.inner.size(location)).await
    }

    async fn delete(&self, location: &Location) -> Result<Option<u64>> {
        self.faults.call(Operation::Delete, self.inner.delete(location)).await
    }

    async fn sync_deletions(&self, locations: &[Location]) -> Result<()> {
        self.faults.call(Operation::SyncDeletions, self.inner.sync_deletions(locations)).await
    }

    async fn leftovers(&self) -> Result<Vec<Leftover>> {
        self.faults.call(Operation::Leftovers, self.inner.leftovers()).await
    }

    fn lists_leftovers(&self) -> bool {
        self.inner.lists_leftovers()
    }

    async fn leftover(&self, upload: &UploadId) -> Result<Option<Leftover>> {
        self.faults.call(Operation::Leftovers, self.inner.leftover(upload)).await
    }

    fn upload_of(&self, location: &Location) -> Option<UploadId> {
        self.inner.upload_of(location)
    }

    async fn link(&self, location: &Location, valid: Duration) -> Result<Option<String>> {
        self.faults.call(Operation::Link, self.inner.link(location, valid)).await
    }

    async fn open_uncached(&self, location: &Location) -> Result<Arc<dyn BlobReader>> {
        let inner = self.faults.call(Operation::Open, self.inner.open_uncached(location)).await?;
        Ok(Arc::new(FaultyReader { inner, faults: self.faults.clone() }))
    }

    async fn scan(&self, after: Option<&Location>, limit: usize) -> Result<Vec<(Location, u64)>> {
        self.faults.call(Operation::Scan, self.inner.scan(after, limit)).await
    }

    async fn scan_uploads(
        &self,
        after: Option<&UploadId>,
        limit: usize,
    ) -> Result<Vec<(UploadId, Timestamp)>> {
        self.faults.call(Operation::Scan, self.inner.scan_uploads(after, limit)).await
    }

    async fn sweep(&self, upload: &UploadId) -> Result<()> {
        self.faults.call(Operation::Discard, self.inner.sweep(upload)).await
    }

    async fn capacity(&self) -> Result<Capacity> {
        self.faults.call(Operation::Capacity, self.inner.capacity()).await
    }
}

struct FaultyWriter {
    inner: Box<dyn BlobWriter>,
    faults: Faults,
}

#[async_trait]
impl BlobWriter for FaultyWriter {
    async fn write(&mut self, mut chunk: Bytes) -> Result<()> {
        let Some(due) = self.faults.next(Operation::Write, chunk.len() as u64) else {
            return self.inner.write(chunk).await;
        };
        if !due.late {
            chunk.truncate(usize::try_from(due.bytes).unwrap_or(usize::MAX));
        }
        self.inner.write(chunk).await?;
        due.failure.fail().await
    }

    async fn finish(self: Box<Self>) -> Result<Progress> {
        let Self { inner, faults } = *self;
        faults.call(Operation::Finish, inner.finish()).await
    }

    async fn seal(self: Box<Self>) -> Result<Progress> {
        let Self { inner, faults } = *self;
        faults.call(Operation::Finish, inner.seal()).await
    }
}

#[derive(Debug)]
struct FaultyReader {
    inner: Arc<dyn BlobReader>,
    faults: Faults,
}

#[async_trait]
impl BlobReader for FaultyReader {
    fn size(&self) -> u64 {
        self.inner.size()
    }

    fn try_read(&self, offset: u64, len: usize) -> Option<Result<Bytes>> {
        if self.faults.planned(Operation::Read) { None } else { self.inner.try_read(offset, len) }
    }

    async fn read(&self, offset: u64, len: usize) -> Result<Bytes> {
        let bytes = self.inner.read(offset, len).await?;
        match self.faults.next(Operation::Read, bytes.len() as u64) {
            None => Ok(bytes),
            Some(Due { failure, .. }) => failure.fail().await,
        }
    }

    async fn read_some(&self, offset: u64, len: usize) -> Result<Bytes> {
        let bytes = self.inner.read_some(offset, len).await?;
        match self.faults.next(Operation::Read, bytes.len() as u64) {
            None => Ok(bytes),
            Some(Due { failure, .. }) => failure.fail().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use berth_oci::Algorithm;

    use super::*;
    use crate::{
        Disk, Error,
        testing::{Failure, Fault},
    };

    #[tokio::test]
    async fn fails_as_planned() {
        let directory = tempfile::tempdir().unwrap();
        let faults = Faults::default();
        let store = Faulty::new(Arc::new(Disk::open(directory.path(), 4).unwrap()), faults.clone());
        let upload = UploadId::random();

        faults.plan(Fault::new(Operation::Write, Failure::Full).after_bytes(10));
        let mut writer = store.writer(&upload, Progress::start(Algorithm::Sha256)).await.unwrap();
        writer.write(Bytes::from_static(b"12345")).await.unwrap();
        writer.write(Bytes::from_static(b"67890")).await.unwrap();
        assert!(matches!(writer.write(Bytes::from_static(b"x")).await, Err(Error::Full)));
        assert_eq!(faults.fired(), 1);
        let progress = writer.finish().await.unwrap();
        assert_eq!(progress.offset, 10);

        let digest = progress.hasher.finish();
        faults.plan(Fault::new(Operation::Publish, Failure::Broken).late());
        assert!(matches!(store.publish(&upload, &digest).await, Err(Error::Io(..))));
        let location = store.publish(&upload, &digest).await.unwrap();

        faults.plan(Fault::new(Operation::Read, Failure::Broken).after_calls(1).times(u64::MAX));
        let reader = store.open(&location).await.unwrap();
        assert!(reader.try_read(0, 10).is_none());
        assert_eq!(reader.read(0, 10).await.unwrap(), "1234567890");
        for _ in 0..3 {
            assert!(reader.read(0, 10).await.is_err());
        }
        faults.clear();
        assert_eq!(reader.read(0, 10).await.unwrap(), "1234567890");
    }
}
