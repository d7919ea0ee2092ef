//! Writes an upload's bytes in order; those past its first megabytes leave the page cache as soon as they are on the disk.
//!
//! A push of gigabytes would otherwise take the cache from the blobs that are pulled, and pay for a fresh page per 4 KiB:
//! measured, three quarters of such a push's processor time.

use std::{
    fs::File,
    io::{self, ErrorKind, IoSlice, Write as _},
};

use bytes::Bytes;
use rustix::io::{Errno, ReadWriteFlags, pwritev2};

use super::writeback;

/// Bytes of each upload that stay in the page cache for the pulls that follow: whole layers, mostly.
const CACHED_BYTES: u64 = 16 << 20;
/// Bytes after which write-out of cached ones is started.
const WRITEBACK_BYTES: u64 = 8 << 20;
/// Writes through the page cache without staying in it (`RWF_DONTCACHE`, Linux 6.14); starts write-out by itself.
const DONT_CACHE: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x80);
/// Makes `pwritev2(2)` use and move the file's position.
const AT_POSITION: u64 = u64::MAX;

/// Appends to a file.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    offset: u64,
    written_out: u64,
    /// Whether kernel and file system know [`DONT_CACHE`], as far as it is known.
    may_skip_cache: bool,
}

impl Output {
    /// Continues a file at an offset, its position.
    pub(super) fn new(file: File, offset: u64) -> Self {
        Self { file, offset, written_out: offset, may_skip_cache: true }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Writes chunks with as few calls as possible: large writes get large page-cache folios.
    pub(super) fn append(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        let mut slices: Vec<_> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
        let mut left = &mut slices[..];
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            match self.write(left) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.offset += written as u64;
                    IoSlice::advance_slices(&mut left, written);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.write_out()
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.skips_cache() {
            match pwritev2(&self.file, slices, AT_POSITION, DONT_CACHE) {
                Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => self.may_skip_cache = false,
                written => return Ok(written?),
            }
        }
        self.file.write_vectored(slices)
    }

    fn skips_cache(&self) -> bool {
        self.may_skip_cache && self.offset >= CACHED_BYTES
    }

    fn write_out(&mut self) -> io::Result<()> {
        if self.offset - self.written_out >= WRITEBACK_BYTES && !self.skips_cache() {
            writeback::start(&self.file, self.written_out, self.offset)?;
            self.written_out = self.offset;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
