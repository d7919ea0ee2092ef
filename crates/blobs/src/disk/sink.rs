//! Hashes and writes one upload's file; blocks, so it runs on pool threads.

use std::{
    fs::{File, TryLockError},
    io::{self, ErrorKind, IoSlice, Seek as _, SeekFrom, Write as _},
    path::PathBuf,
};

use bytes::Bytes;

use super::{layout::Layout, system, writeback};
use crate::{Error, Progress, Result, UploadId, error::Context as _};

/// Bytes after which write-out is started.
const WRITEBACK_BYTES: u64 = 8 << 20;

/// Holds an upload's file, locked against every other writer of it.
///
/// The lock matters when a request dies and its client continues at once: the pool thread may still be writing the old
/// request's last chunks, and the lock lasts until that thread lets go of the file.
#[derive(Debug)]
pub(super) struct Sink {
    file: File,
    path: PathBuf,
    /// The directory to sync at the end, for a file whose name may not be durable yet.
    directory: Option<PathBuf>,
    start: u64,
    progress: Progress,
    written_out: u64,
}

impl Sink {
    /// Opens an upload's file at its progress and cuts off the rest; `None` while another writer holds it.
    pub(super) fn open(layout: &Layout, upload: &UploadId, progress: Progress) -> Result<Option<Self>> {
        let path = layout.upload(upload);
        let offset = progress.offset;
        let file = match system::open_upload(&path, offset == 0) {
            Err(error) if error.kind() == ErrorKind::NotFound && offset > 0 => return Err(Error::UploadLost),
            result => result.context(|| format!("cannot open {}", path.display()))?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => {
                return Err(Error::io(error, format!("cannot lock {}", path.display())));
            }
        }
        // A file that was made by a writer that never finished has no durable name either.
        let directory = (offset == 0).then(|| layout.uploads().to_owned());
        let mut sink = Self { file, path, directory, start: offset, progress, written_out: offset };
        sink.cut(offset)?;
        Ok(Some(sink))
    }

    fn cut(&mut self, offset: u64) -> Result<()> {
        let context = || format!("cannot continue {} at byte {offset}", self.path.display());
        let stored = self.file.metadata().context(context)?.len();
        if stored < offset {
            return Err(Error::UploadLost);
        }
        if stored > offset {
            self.file.set_len(offset).context(context)?;
        }
        self.file.seek(SeekFrom::Start(offset)).context(context)?;
        Ok(())
    }

    /// Hashes and writes chunks. After an error the sink is of no more use.
    pub(super) fn append(&mut self, chunks: &[Bytes]) -> Result<()> {
        for chunk in chunks {
            self.progress.hasher.update(chunk);
        }
        let written = write_all(&mut self.file, chunks);
        self.check(written)?;
        self.progress.offset += chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
        if self.progress.offset - self.written_out >= WRITEBACK_BYTES {
            let started = writeback::start(&self.file, self.written_out, self.progress.offset);
            self.check(started)?;
            self.written_out = self.progress.offset;
        }
        Ok(())
    }

    /// Makes bytes and name durable and says how far they reach.
    pub(super) fn finish(self) -> Result<Progress> {
        system::sync_data(&self.file, &self.path)?;
        if let Some(directory) = &self.directory {
            system::sync_directory(directory)?;
        }
        Ok(self.progress)
    }

    fn check(&self, result: io::Result<()>) -> Result<()> {
        let result = result.context(|| format!("cannot write {}", self.path.display()));
        if matches!(result, Err(Error::Full)) {
            // Nobody will ask for these bytes: give the space back to whoever still has a chance. Best effort, for the
            // next writer cuts here too.
            let _ = self.file.set_len(self.start);
        }
        result
    }
}

/// Writes every chunk with as few calls as possible: large writes get large page-cache folios.
fn write_all(file: &mut File, chunks: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<_> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
    let mut left = &mut slices[..];
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        match file.write_vectored(left) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
impl Sink {
    /// Returns a sink whose every write fails for want of space.
    pub(super) fn full() -> Self {
        let path = PathBuf::from("/dev/full");
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        let progress = Progress::start(berth_oci::Algorithm::Sha256);
        Self { file, path, directory: None, start: 0, progress, written_out: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exhausted_space_has_its_own_error() {
        let mut sink = Sink::full();
        assert!(matches!(sink.append(&[Bytes::from_static(b"bytes")]), Err(Error::Full)));
        assert_eq!(sink.progress.offset, 0);
    }

    #[test]
    fn empty_chunks_are_written_like_others() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut file = File::create(&path).unwrap();
        write_all(&mut file, &[]).unwrap();
        write_all(&mut file, &["", "a", "", "bc", ""].map(Bytes::from)).unwrap();
        write_all(&mut file, &["", ""].map(Bytes::from)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"abc");
    }
}
