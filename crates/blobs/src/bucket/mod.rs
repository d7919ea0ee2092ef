//! Keeps blobs and uploads in a bucket of an S3 service, for any number of nodes at once.
//!
//! No request is followed by a walk: every key is known from the catalog or from an upload's own head, and only
//! what a scrub asks for lists: blobs, what uploads left, and parts that were never joined.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use berth_oci::Digest;
use bytes::Bytes;
use jiff::Timestamp;
use object_store::{
    Error as ServiceError, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
    aws::AmazonS3, path::Path,
};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use self::{
    breaker::Breaker, error::map, keys::Keys, publish::Stage, reader::BucketReader, writer::BucketWriter,
};
use crate::{BlobReader, BlobWriter, Blobs, Capacity, Error, Leftover, Location, Progress, Result, UploadId};

mod breaker;
mod client;
mod config;
mod error;
mod forget;
mod identity;
mod keys;
mod lease;
mod marker;
mod multiparts;
mod objects;
mod parts;
mod plan;
mod publish;
mod reader;
mod scan;
mod shelf;
mod sign;
mod sweep;
mod writer;

pub use config::{BucketConfig, Credentials, Encryption};
pub(crate) use lease::Lease;
pub(crate) use shelf::{Prefix, PrefixWriter};

/// Bytes of parts in memory beside the two that every upload may have: one that fills, one on its way.
const SPARE_BYTES: usize = 512 << 20;

/// Stores blobs in a bucket. Clones share everything.
#[derive(Debug, Clone)]
pub struct Bucket(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: AmazonS3,
    client: client::Client,
    keys: Keys,
    part_bytes: usize,
    parts_in_flight: usize,
    /// Memory for parts that are on their way beside the first of each upload.
    spare: Arc<Semaphore>,
    /// Uploads that this node has sealed or published, until they are discarded.
    stages: Mutex<HashMap<UploadId, Stage>>,
}

impl Bucket {
    /// Opens a bucket. Sends nothing: [`identity`](Self::identity) finds out whether it can be reached. Reads the
    /// certificates, so it blocks: for start-up.
    ///
    /// # Errors
    /// [`Error::Io`] when the configuration can't be used.
    pub fn open(config: &BucketConfig) -> Result<Self> {
        config.check()?;
        let client = client::connect(config, &Arc::new(Breaker::default()))?;
        Ok(Self(Arc::new(Inner {
            store: client.store.clone(),
            client,
            keys: Keys::new(config),
            part_bytes: config.part_bytes,
            parts_in_flight: config.parts_in_flight.max(1),
            spare: parts::spare(SPARE_BYTES),
            stages: Mutex::default(),
        })))
    }
}

#[async_trait]
impl Blobs for Bucket {
    async fn writer(&self, upload: &UploadId, progress: Progress) -> Result<Box<dyn BlobWriter>> {
        self.0.stages.lock().remove(upload);
        Ok(Box::new(BucketWriter::open(&self.0, upload, progress).await?))
    }

    async fn publish(&self, upload: &UploadId, digest: &Digest) -> Result<Location> {
        self.0.publish(upload, digest).await
    }

    async fn discard(&self, upload: &UploadId) -> Result<()> {
        self.0.discard(upload).await
    }

    async fn open(&self, location: &Location) -> Result<Arc<dyn BlobReader>> {
        let key = self.0.keys.checked_blob(location)?;
        Ok(Arc::new(BucketReader::open(&self.0, key).await?))
    }

    async fn size(&self, location: &Location) -> Result<u64> {
        let key = self.0.keys.checked_blob(location)?;
        self.0.size(&key).await?.ok_or(Error::NotFound)
    }

    async fn delete(&self, location: &Location) -> Result<Option<u64>> {
        let key = self.0.keys.checked_blob(location)?;
        let size = self.0.size(&key).await?;
        // Of one that is gone too: this answer tells whether the bucket is there at all.
        self.0.delete_object(&key).await?;
        self.0.unpublish(location);
        Ok(size)
    }

    async fn sync_deletions(&self, locations: &[Location]) -> Result<()> {
        // The service has answered each deletion: it is durable.
        locations.iter().try_for_each(|location| self.0.keys.checked_blob(location).map(drop))
    }

    async fn leftovers(&self) -> Result<Vec<Leftover>> {
        Ok(Vec::new())
    }

    fn lists_leftovers(&self) -> bool {
        false
    }

    async fn leftover(&self, upload: &UploadId) -> Result<Option<Leftover>> {
        self.0.leftover(upload).await
    }

    fn upload_of(&self, location: &Location) -> Option<UploadId> {
        keys::upload_of(location)
    }

    async fn link(&self, location: &Location, valid: Duration) -> Result<Option<String>> {
        self.0.link(location, valid).await.map(Some)
    }

    async fn scan(&self, after: Option<&Location>, limit: usize) -> Result<Vec<(Location, u64)>> {
        self.0.scan(after, limit).await
    }

    async fn scan_uploads(
        &self,
        after: Option<&UploadId>,
        limit: usize,
    ) -> Result<Vec<(UploadId, Timestamp)>> {
        self.0.scan_uploads(after, limit).await
    }

    async fn sweep(&self, upload: &UploadId) -> Result<()> {
        self.0.sweep(upload).await
    }

    async fn capacity(&self) -> Result<Capacity> {
        Ok(Capacity { total_bytes: u64::MAX, available_bytes: u64::MAX })
    }

    async fn check(&self) -> Result<()> {
        self.identity().await.map(drop)
    }
}

impl Inner {
    async fn read_object(&self, key: &Path, doing: &str) -> Result<Bytes> {
        let object = self.store.get(key).await.map_err(|error| map(error, doing))?;
        object.bytes().await.map_err(|error| map(error, doing))
    }

    async fn write_object(&self, key: &Path, content: PutPayload, doing: &str) -> Result<()> {
        self.store.put(key, content).await.map(drop).map_err(|error| map(error, doing))
    }

    /// Writes an object where none is. Returns false, and writes nothing, if one is there.
    async fn create_object(&self, key: &Path, content: PutPayload, doing: &str) -> Result<bool> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(key, content, options).await {
            Ok(_) => Ok(true),
            Err(ServiceError::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(map(error, doing)),
        }
    }

    /// Removes an object, if it is there.
    async fn delete_object(&self, key: &Path) -> Result<()> {
        match self.store.delete(key).await.map_err(|error| map(error, "delete an object")) {
            Ok(()) | Err(Error::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Returns the size of an object in bytes, `None` if it isn't there, or the bucket isn't.
    async fn size(&self, key: &Path) -> Result<Option<u64>> {
        match self.store.head(key).await.map_err(|error| map(error, "look for an object")) {
            Ok(object) => Ok(Some(object.size)),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
