//! Reads published blobs: from the page cache in place, from the disk on a pool thread.

use std::{
    fs::File,
    io::IoSliceMut,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::Path,
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use rustix::{
    fs::{Advice, fadvise},
    io::{Errno, ReadWriteFlags, preadv2},
};

use super::{READ_BYTES, blocking, buffer::Pool};
use crate::{BlobReader, Error, Result, error::Context as _};

/// Reads one open file; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct DiskReader(Arc<Open>);

#[derive(Debug)]
struct Open {
    file: File,
    size: u64,
    pool: Arc<Pool>,
}

impl DiskReader {
    /// Opens a blob; blocks.
    pub(crate) fn open(path: &Path, pool: &Arc<Pool>) -> Result<Self> {
        let file = match File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(Error::NotFound),
            result => result.context(|| format!("cannot open {}", path.display()))?,
        };
        let size = file.metadata().context(|| format!("cannot stat {}", path.display()))?.len();
        if size > READ_BYTES as u64 {
            // Doubles the kernel's read-ahead and halves the misses. Asking for pages outright (`WillNeed`) gets single
            // ones instead of large folios: measured, half the throughput for five times the work. Only a hint.
            let _ = fadvise(&file, 0, None, Advice::Sequential);
        }
        Ok(Self(Arc::new(Open { file, size, pool: Arc::clone(pool) })))
    }

    /// Says whether the file still has a name and its size. Doesn't wait: the inode of an open file is in memory.
    pub(super) fn is_current(&self) -> bool {
        self.0.file.metadata().is_ok_and(|metadata| metadata.nlink() > 0 && metadata.len() == self.0.size)
    }
}

impl Open {
    /// Cuts a requested length at the blob's end.
    fn len(&self, offset: u64, len: usize) -> usize {
        usize::try_from(self.size.saturating_sub(offset)).map_or(len, |left| left.min(len))
    }

    fn truncated(&self, stored: u64) -> Error {
        Error::Truncated { stored, expected: self.size }
    }

    fn try_read(&self, offset: u64, len: usize) -> Option<Result<Bytes>> {
        let len = self.len(offset, len);
        if len == 0 {
            return Some(Ok(Bytes::new()));
        }
        let mut buffer = self.pool.take(len);
        let slices = &mut [IoSliceMut::new(buffer.as_mut())];
        match preadv2(&self.file, slices, offset, ReadWriteFlags::NOWAIT) {
            Ok(0) => Some(Err(self.truncated(offset))),
            Ok(read) => Some(Ok(buffer.freeze(read))),
            // Not cached, not supported by the file system, or failed: a pool thread finds out which.
            Err(_) => None,
        }
    }

    fn read(&self, offset: u64, len: usize) -> Result<Bytes> {
        let len = self.len(offset, len);
        let end = offset + len as u64;
        let mut buffer = self.pool.take(len);
        let mut filled = 0;
        while filled < len {
            let at = offset + filled as u64;
            match self.file.read_at(&mut buffer.as_mut()[filled..], at) {
                Ok(0) => return Err(self.truncated(at)),
                Ok(read) => filled += read,
                Err(error) if Errno::from_io_error(&error) == Some(Errno::INTR) => {}
                Err(error) => {
                    return Err(Error::io(error, format!("cannot read bytes {offset}..{end} of a blob")));
                }
            }
        }
        Ok(buffer.freeze(filled))
    }
}

#[async_trait]
impl BlobReader for DiskReader {
    fn size(&self) -> u64 {
        self.0.size
    }

    fn try_read(&self, offset: u64, len: usize) -> Option<Result<Bytes>> {
        self.0.try_read(offset, len)
    }

    async fn read(&self, offset: u64, len: usize) -> Result<Bytes> {
        let open = Arc::clone(&self.0);
        blocking(move || open.read(offset, len)).await
    }
}
