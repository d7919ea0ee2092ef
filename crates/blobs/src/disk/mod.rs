//! Keeps blobs and uploads in a local directory.

use std::{
    path::Path,
    sync::Arc,
    thread::available_parallelism,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use berth_oci::Digest;
use rustix::fs::statvfs;
use tokio::{sync::Semaphore, task::JoinError};

use self::{layout::Layout, open_files::OpenFiles, publish::Publisher, sink::Sink};
use crate::{
    BlobReader, BlobWriter, Blobs, Capacity, Error, Leftover, Location, Progress, Result, UploadId,
    error::Context as _,
};

mod buffer;
mod foreign;
mod identity;
mod layout;
mod open_files;
mod output;
mod publish;
mod reader;
mod shelf;
mod sink;
mod system;
#[cfg(test)]
mod tests;
mod walk;
mod writeback;
mod writer;

pub(crate) use self::{buffer::Pool, reader::DiskReader};
pub(crate) use foreign::ForeignFiles;
pub(crate) use shelf::{Folder, FolderWriter, lock};

/// Bytes per read that a disk store serves best: its buffers have this size.
pub const READ_BYTES: usize = 256 << 10;

/// How long a new writer waits for an earlier one of the same upload to let go: a pool thread's last write, unless a
/// caller lets two in.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// How often it looks.
const LOCK_POLL: Duration = Duration::from_millis(5);

/// Stores blobs in a directory that no other process writes to. Clones share everything.
#[derive(Debug, Clone)]
pub struct Disk(Arc<Store>);

#[derive(Debug)]
struct Store {
    layout: Layout,
    publisher: Publisher,
    pool: Arc<Pool>,
    open_files: OpenFiles,
    /// Threads that may hash and write at once: more would only take the processor from those who serve reads.
    hashing: Arc<Semaphore>,
}

impl Disk {
    /// Files kept open that suit the common limit of 1,024 per process.
    pub const OPEN_FILES: usize = 256;

    /// Opens the store in a directory, which is made if it is missing. Keeps up to `open_files` files open between reads
    /// ([`OPEN_FILES`](Self::OPEN_FILES) for want of a better number).
    /// Blocks: for start-up.
    ///
    /// # Errors
    /// [`Error::Io`] when the directory can't be made, listed or synced.
    pub fn open(root: &Path, open_files: usize) -> Result<Self> {
        let layout = Layout::new(root);
        let publisher = Publisher::open(root, &layout)?;
        let hashing = available_parallelism().map_or(4, |cores| cores.get() * 2);
        Ok(Self(Arc::new(Store {
            layout,
            publisher,
            pool: Arc::default(),
            open_files: OpenFiles::new(open_files),
            hashing: Arc::new(Semaphore::new(hashing)),
        })))
    }

    /// Runs something on a pool thread.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = Arc::clone(&self.0);
        blocking(move || work(&store)).await
    }
}

#[async_trait]
impl Blobs for Disk {
    async fn writer(&self, upload: &UploadId, progress: Progress) -> Result<Box<dyn BlobWriter>> {
        let upload = *upload;
        let start = Instant::now();
        loop {
            let progress = progress.clone();
            let opened = self.blocking(move |store| {
                Publisher::take_back(&store.layout, &upload)?;
                Sink::open(&store.layout, &upload, progress)
            });
            if let Some(sink) = opened.await? {
                return Ok(Box::new(writer::DiskWriter::new(sink, &self.0.hashing)));
            }
            if start.elapsed() >= LOCK_PATIENCE {
                return Err(Error::UploadBusy);
            }
            tokio::time::sleep(LOCK_POLL).await;
        }
    }

    async fn publish(&self, upload: &UploadId, digest: &Digest) -> Result<Location> {
        let (upload, digest) = (*upload, *digest);
        self.blocking(move |store| store.publisher.publish(&store.layout, &upload, &digest)).await
    }

    async fn adopt(&self, upload: &UploadId, file: &Path) -> Result<bool> {
        let (upload, file) = (*upload, file.to_owned());
        self.blocking(move |store| foreign::adopt(&store.layout, &upload, &file)).await
    }

    async fn discard(&self, upload: &UploadId) -> Result<()> {
        let upload = *upload;
        self.blocking(move |store| Publisher::discard(&store.layout, &upload)).await
    }

    async fn open(&self, location: &Location) -> Result<Arc<dyn BlobReader>> {
        if let Some(reader) = self.0.open_files.get(location) {
            return Ok(reader);
        }
        let path = self.0.layout.blob(location)?;
        let reader = self.blocking(move |store| DiskReader::open(&path, &store.pool)).await?;
        Ok(self.0.open_files.insert(location, reader))
    }

    async fn delete(&self, location: &Location) -> Result<Option<u64>> {
        let path = self.0.layout.blob(location)?;
        let freed = self.blocking(move |_| walk::delete(&path)).await?;
        self.0.open_files.remove(location);
        Ok(freed)
    }

    async fn sync_deletions(&self, locations: &[Location]) -> Result<()> {
        let paths =
            locations.iter().map(|location| self.0.layout.blob(location)).collect::<Result<Vec<_>>>()?;
        self.blocking(move |_| walk::sync_deletions(&paths)).await
    }

    async fn leftovers(&self) -> Result<Vec<Leftover>> {
        self.blocking(|store| publish::leftovers(&store.layout)).await
    }

    async fn leftover(&self, upload: &UploadId) -> Result<Option<Leftover>> {
        let upload = *upload;
        self.blocking(move |store| publish::leftover(&store.layout, &upload)).await
    }

    fn upload_of(&self, location: &Location) -> Option<UploadId> {
        layout::upload_of(location)
    }

    async fn link(&self, location: &Location, _valid: Duration) -> Result<Option<String>> {
        self.0.layout.blob(location).map(|_| None)
    }

    async fn scan(&self, after: Option<&Location>, limit: usize) -> Result<Vec<(Location, u64)>> {
        let after = after.cloned();
        self.blocking(move |store| walk::scan(&store.layout, after.as_ref(), limit)).await
    }

    async fn capacity(&self) -> Result<Capacity> {
        self.blocking(|store| {
            let blobs = store.layout.blobs();
            let status =
                statvfs(blobs).context(|| format!("cannot ask for the space at {}", blobs.display()))?;
            Ok(Capacity {
                total_bytes: status.f_blocks.saturating_mul(status.f_frsize),
                available_bytes: status.f_bavail.saturating_mul(status.f_frsize),
            })
        })
        .await
    }
}

/// Runs something that blocks on a pool thread.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    joined(tokio::task::spawn_blocking(work).await)
}

/// Turns the end of a pool thread, a panic or a runtime that shuts down, into an error.
fn joined<T>(result: Result<Result<T>, JoinError>) -> Result<T> {
    result.unwrap_or_else(|error| Err(Error::io(error.into(), "the store's thread ended early")))
}
