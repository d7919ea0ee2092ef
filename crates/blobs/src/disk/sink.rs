//! Hashes and writes one upload's file; blocks, so it runs on pool threads.

use std::{
    fs::{File, TryLockError},
    io::{self, ErrorKind, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::{layout::Layout, output::Output, system};
use crate::{Error, Progress, Result, UploadId, error::Context as _};

/// Holds an upload's file, locked against every other writer of it.
///
/// The lock matters when a request dies and its client continues at once: the pool thread may still be writing the old
/// request's last chunks, and the lock lasts until that thread lets go of the file.
#[derive(Debug)]
pub(super) struct Sink {
    output: Output,
    path: PathBuf,
    /// The directory to sync at the end, for a file whose name may not be durable yet.
    directory: Option<PathBuf>,
    start: u64,
    progress: Progress,
}

impl Sink {
    /// Opens an upload's file at its progress and cuts off the rest; `None` while another writer holds it.
    pub(super) fn open(layout: &Layout, upload: &UploadId, progress: Progress) -> Result<Option<Self>> {
        let path = layout.upload(upload);
        let offset = progress.offset;
        let mut file = match system::open_upload(&path, offset == 0) {
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
        cut(&mut file, offset, &path)?;
        Ok(Some(Self { output: Output::new(file, offset), path, directory, start: offset, progress }))
    }

    /// Hashes and writes chunks. After an error the sink is of no more use.
    pub(super) fn append(&mut self, chunks: &[Bytes]) -> Result<()> {
        for chunk in chunks {
            self.progress.hasher.update(chunk);
        }
        let written = self.output.append(chunks);
        self.check(written)?;
        self.progress.offset += chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
        Ok(())
    }

    /// Makes bytes and name durable and says how far they reach.
    pub(super) fn finish(self) -> Result<Progress> {
        system::sync_data(self.output.file(), &self.path)?;
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
            let _ = self.output.file().set_len(self.start);
        }
        result
    }
}

/// Cuts a file off at an offset, its new position.
fn cut(file: &mut File, offset: u64, path: &Path) -> Result<()> {
    let context = || format!("cannot continue {} at byte {offset}", path.display());
    let stored = file.metadata().context(context)?.len();
    if stored < offset {
        return Err(Error::UploadLost);
    }
    if stored > offset {
        file.set_len(offset).context(context)?;
    }
    file.seek(SeekFrom::Start(offset)).context(context)?;
    Ok(())
}

#[cfg(test)]
impl Sink {
    /// Returns a sink whose every write fails for want of space.
    pub(super) fn full() -> Self {
        let path = PathBuf::from("/dev/full");
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        let progress = Progress::start(berth_oci::Algorithm::Sha256);
        Self { output: Output::new(file, 0), path, directory: None, start: 0, progress }
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
}
