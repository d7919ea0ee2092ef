//! A blob on the disk, with the store behind it in case the disk fails.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::Inner;
use crate::{BlobReader, Location, Result, disk::DiskReader};

/// Reads one file of the cache.
#[derive(Debug)]
pub(super) struct Hit {
    inner: Arc<Inner>,
    location: Location,
    file: DiskReader,
}

impl Hit {
    pub(super) fn new(inner: &Arc<Inner>, location: &Location, file: DiskReader) -> Self {
        Self { inner: Arc::clone(inner), location: location.clone(), file }
    }
}

#[async_trait]
impl BlobReader for Hit {
    fn size(&self) -> u64 {
        self.file.size()
    }

    fn try_read(&self, offset: u64, len: usize) -> Option<Result<Bytes>> {
        // An error is for `read`, which knows another way.
        self.file.try_read(offset, len).filter(Result::is_ok)
    }

    async fn read(&self, offset: u64, len: usize) -> Result<Bytes> {
        match self.file.read(offset, len).await {
            Ok(bytes) => Ok(bytes),
            Err(error) => {
                tracing::warn!(location = %self.location, %error, "the disk cache failed, a blob is read past it");
                self.inner.forget(&self.location).await;
                self.inner.store.open(&self.location).await?.read(offset, len).await
            }
        }
    }
}
