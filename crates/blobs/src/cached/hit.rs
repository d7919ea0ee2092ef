//! A blob on the disk, with the store behind it in case the disk fails.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::OnceCell;

use super::{Inner, directory::Kept};
use crate::{BlobReader, Location, Result, disk::DiskReader};

/// Reads one file of the cache.
#[derive(Debug)]
pub(super) struct Hit {
    inner: Arc<Inner>,
    location: Location,
    kept: Kept,
    file: DiskReader,
    /// The store's own reader, once the file has failed.
    past: OnceCell<Arc<dyn BlobReader>>,
}

impl Hit {
    pub(super) fn new(inner: &Arc<Inner>, location: &Location, kept: Kept, file: DiskReader) -> Self {
        Self { inner: Arc::clone(inner), location: location.clone(), kept, file, past: OnceCell::new() }
    }
}

#[async_trait]
impl BlobReader for Hit {
    fn size(&self) -> u64 {
        self.file.size()
    }

    fn try_read(&self, offset: u64, len: usize) -> Option<Result<Bytes>> {
        if let Some(past) = self.past.get() {
            return past.try_read(offset, len);
        }
        // An error is for `read`, which knows another way.
        self.file.try_read(offset, len).filter(Result::is_ok)
    }

    async fn read(&self, offset: u64, len: usize) -> Result<Bytes> {
        if let Some(past) = self.past.get() {
            return past.read(offset, len).await;
        }
        let error = match self.file.read(offset, len).await {
            Ok(bytes) => return Ok(bytes),
            Err(error) => error,
        };
        let open = async || {
            tracing::warn!(location = %self.location, %error, "the disk cache failed, a blob is read past it");
            self.inner.drop_bad(&self.kept).await;
            self.inner.store.open(&self.location).await
        };
        self.past.get_or_try_init(open).await?.read(offset, len).await
    }
}
