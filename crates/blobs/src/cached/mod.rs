//! Keeps blobs of a slower store on a disk of this node.
//!
//! Whole blobs only, each in a file of its own that appears under its final name when it is complete and on the disk:
//!
//! ```text
//! <directory>/
//!   <key>.<number>.part      a blob that is coming
//!   <key>.<size>.<sha256>    a blob: the SHA-256 of its location, its size in bytes, the SHA-256 of its bytes
//! ```
//!
//! A location never gets other bytes, so what is kept can't be out of date; it can only be deleted. After a start a file is
//! hashed before it is first used. The directory may be lost or emptied at any time.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use berth_oci::Digest;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use self::{directory::Directory, fill::Fill, hit::Hit, index::Index};
use crate::{
    BlobReader, BlobWriter, Blobs, Capacity, Error, Leftover, Location, Progress, Result, UploadId,
    disk::blocking,
};

mod directory;
mod fill;
mod hit;
mod index;
#[cfg(test)]
mod tests;

/// Blobs that come in at a time; others are passed through.
const FILLS: usize = 16;
/// No blob takes more than this part of the room.
const LARGEST_PART: u64 = 2;

/// Wraps a store and keeps blobs that are read. Clones share everything.
#[derive(Debug, Clone)]
pub struct Cached(Arc<Inner>);

/// What a cache has done since it was opened, and what it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Blobs opened from the disk.
    pub hits: u64,
    /// Blobs that had to be fetched.
    pub misses: u64,
    /// Files that were not what they should have been.
    pub corrupt: u64,
    /// Bytes on the disk, with those that are coming.
    pub bytes: u64,
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Blobs>,
    directory: Directory,
    index: Mutex<Index>,
    fills: Arc<Semaphore>,
    hits: AtomicU64,
    misses: AtomicU64,
    corrupt: AtomicU64,
}

impl Cached {
    /// Puts a cache of up to `bytes` in a directory in front of a store. Makes the directory if it is missing; blocks: for
    /// start-up.
    ///
    /// # Errors
    /// [`Error::Io`] when the directory can't be made or listed.
    pub fn open(store: Arc<dyn Blobs>, directory: &Path, bytes: u64) -> Result<Self> {
        let directory = Directory::open(directory)?;
        let mut index = Index::new(bytes);
        let mut surplus = Vec::new();
        for file in directory.list()? {
            surplus.extend(index.insert(file));
        }
        for file in surplus {
            directory.remove(&file)?;
        }
        Ok(Self(Arc::new(Inner {
            store,
            directory,
            index: Mutex::new(index),
            fills: Arc::new(Semaphore::new(FILLS)),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            corrupt: AtomicU64::new(0),
        })))
    }

    /// Tells what the cache has done.
    pub fn stats(&self) -> CacheStats {
        CacheStats {
            hits: self.0.hits.load(Ordering::Relaxed),
            misses: self.0.misses.load(Ordering::Relaxed),
            corrupt: self.0.corrupt.load(Ordering::Relaxed),
            bytes: self.0.index.lock().bytes(),
        }
    }
}

impl Inner {
    /// Opens the file of a blob, if it is there and right.
    async fn hit(self: &Arc<Self>, location: &Location) -> Option<Hit> {
        let file = self.index.lock().touch(&directory::key(location))?;
        let inner = Arc::clone(self);
        let opened = {
            let file = file.clone();
            blocking(move || inner.directory.open_file(&file)).await
        };
        match opened {
            Ok(reader) => {
                self.index.lock().set_verified(&file.key);
                self.hits.fetch_add(1, Ordering::Relaxed);
                Some(Hit::new(self, location, file, reader))
            }
            Err(error) => {
                tracing::warn!(%location, %error, "a cached blob is not what it was, it is fetched again");
                self.corrupt.fetch_add(1, Ordering::Relaxed);
                self.drop_bad(&file).await;
                None
            }
        }
    }

    /// Fetches a blob, and keeps it if there is room.
    async fn miss(self: &Arc<Self>, location: &Location) -> Result<Arc<dyn BlobReader>> {
        self.misses.fetch_add(1, Ordering::Relaxed);
        let reader = self.store.open(location).await?;
        let key = directory::key(location);
        let started = {
            let mut index = self.index.lock();
            if let Some(fill) = index.fill(&key) {
                return Ok(fill);
            }
            let fits = reader.size() > 0 && reader.size() <= index.limit() / LARGEST_PART;
            let turn = Arc::clone(&self.fills).try_acquire_owned();
            match turn {
                Ok(turn) if fits => {
                    let (fill, progress) = Fill::new(&reader, index.next_fill());
                    let fill = Arc::new(fill);
                    let surplus = index.start(&key, &fill);
                    Some((fill, progress, surplus, turn))
                }
                _ => None,
            }
        };
        let Some((fill, progress, surplus, turn)) = started else { return Ok(reader) };
        let (inner, task) = (Arc::clone(self), Arc::clone(&fill));
        tokio::spawn(async move {
            inner.remove(surplus).await;
            inner.fill(key, &task, progress).await;
            drop(turn);
        });
        Ok(fill)
    }

    /// Drops a blob from the cache, also one that is coming.
    async fn forget(self: &Arc<Self>, location: &Location) {
        let file = self.index.lock().remove(&directory::key(location));
        self.remove(file.into_iter().collect()).await;
    }

    /// Drops a file that is not what it should be. A blob that is fetched in its stead already comes on.
    async fn drop_bad(self: &Arc<Self>, bad: &directory::Kept) {
        let file = self.index.lock().remove_bad(bad);
        self.remove(file.into_iter().collect()).await;
    }

    /// Removes files that the index no longer has.
    async fn remove(self: &Arc<Self>, files: Vec<directory::Kept>) {
        if files.is_empty() {
            return;
        }
        let inner = Arc::clone(self);
        let remove = move || {
            for file in &files {
                if let Err(error) = inner.directory.remove(file) {
                    tracing::error!(%error, "could not remove a file of the disk cache, the next start will");
                }
            }
            Ok(())
        };
        if let Err(error) = blocking(remove).await {
            tracing::error!(%error, "could not remove files of the disk cache, the next start will");
        }
    }
}

#[async_trait]
impl Blobs for Cached {
    async fn writer(&self, upload: &UploadId, progress: Progress) -> Result<Box<dyn BlobWriter>> {
        self.0.store.writer(upload, progress).await
    }

    async fn publish(&self, upload: &UploadId, digest: &Digest) -> Result<Location> {
        self.0.store.publish(upload, digest).await
    }

    async fn adopt(&self, upload: &UploadId, file: &Path) -> Result<bool> {
        self.0.store.adopt(upload, file).await
    }

    async fn discard(&self, upload: &UploadId) -> Result<()> {
        self.0.store.discard(upload).await
    }

    async fn open(&self, location: &Location) -> Result<Arc<dyn BlobReader>> {
        if let Some(hit) = self.0.hit(location).await {
            return Ok(Arc::new(hit));
        }
        let coming = self.0.index.lock().fill(&directory::key(location));
        if let Some(fill) = coming {
            self.0.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(fill);
        }
        match self.0.miss(location).await {
            Err(Error::NotFound) => {
                self.0.forget(location).await;
                Err(Error::NotFound)
            }
            result => result,
        }
    }

    async fn open_uncached(&self, location: &Location) -> Result<Arc<dyn BlobReader>> {
        self.0.store.open_uncached(location).await
    }

    async fn size(&self, location: &Location) -> Result<u64> {
        self.0.store.size(location).await
    }

    async fn delete(&self, location: &Location) -> Result<Option<u64>> {
        self.0.forget(location).await;
        let deleted = self.0.store.delete(location).await;
        // Somebody may have opened it in between.
        self.0.forget(location).await;
        deleted
    }

    async fn sync_deletions(&self, locations: &[Location]) -> Result<()> {
        self.0.store.sync_deletions(locations).await
    }

    async fn leftovers(&self) -> Result<Vec<Leftover>> {
        self.0.store.leftovers().await
    }

    fn lists_leftovers(&self) -> bool {
        self.0.store.lists_leftovers()
    }

    async fn leftover(&self, upload: &UploadId) -> Result<Option<Leftover>> {
        self.0.store.leftover(upload).await
    }

    fn upload_of(&self, location: &Location) -> Option<UploadId> {
        self.0.store.upload_of(location)
    }

    async fn link(&self, location: &Location, valid: Duration) -> Result<Option<String>> {
        self.0.store.link(location, valid).await
    }

    async fn scan(&self, after: Option<&Location>, limit: usize) -> Result<Vec<(Location, u64)>> {
        self.0.store.scan(after, limit).await
    }

    async fn scan_uploads(
        &self,
        after: Option<&UploadId>,
        limit: usize,
    ) -> Result<Vec<(UploadId, Timestamp)>> {
        self.0.store.scan_uploads(after, limit).await
    }

    async fn sweep(&self, upload: &UploadId) -> Result<()> {
        self.0.store.sweep(upload).await
    }

    async fn capacity(&self) -> Result<Capacity> {
        self.0.store.capacity().await
    }

    async fn check(&self) -> Result<()> {
        self.0.store.check().await
    }
}
