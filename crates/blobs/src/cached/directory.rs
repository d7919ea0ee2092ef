//! The cache's files. Everything here blocks.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use berth_oci::{Algorithm, Digest};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, utimensat};

use crate::{
    BlobReader as _, Error, Hasher, Location, Result,
    disk::{DiskReader, Pool},
    error::Context as _,
};

const PART: &str = ".part";
/// Bytes hashed at a time.
const STEP: usize = 256 << 10;

/// Knows the directory.
#[derive(Debug)]
pub(super) struct Directory {
    root: PathBuf,
    pool: Arc<Pool>,
}

/// Is a complete file, as its name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) key: String,
    /// Bytes.
    pub(super) size: u64,
    /// SHA-256 of its bytes.
    pub(super) sha256: String,
    /// Whether this process has seen its bytes.
    pub(super) verified: bool,
}

impl Kept {
    fn name(&self) -> String {
        format!("{}.{}.{}", self.key, self.size, self.sha256)
    }

    /// Reads a name; `None` for one that was not made here.
    fn parse(name: &str) -> Option<Self> {
        let (key, rest) = name.split_once('.')?;
        let (size, sha256) = rest.split_once('.')?;
        let is_hash = |text: &str| format!("sha256:{text}").parse::<Digest>().is_ok();
        let kept = Self { key: key.into(), size: size.parse().ok()?, sha256: sha256.into(), verified: false };
        (is_hash(key) && is_hash(sha256) && kept.name() == name).then_some(kept)
    }
}

/// Returns what files of a location are named after.
pub(super) fn key(location: &Location) -> String {
    Digest::of(Algorithm::Sha256, location.as_str().as_bytes()).hex()
}

impl Directory {
    pub(super) fn open(root: &Path) -> Result<Self> {
        fs::create_dir_all(root).context(|| format!("cannot make {}", root.display()))?;
        Ok(Self { root: root.to_owned(), pool: Arc::default() })
    }

    /// Lists complete files, those used last at the end, and removes what a crash left of others.
    pub(super) fn list(&self) -> Result<Vec<Kept>> {
        let context = || format!("cannot list {}", self.root.display());
        let mut found: Vec<(SystemTime, Kept)> = Vec::new();
        for entry in fs::read_dir(&self.root).context(context)? {
            let entry = entry.context(context)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.strip_suffix(PART).is_some_and(is_part) {
                remove(&entry.path())?;
            } else if let Some(kept) = Kept::parse(&name) {
                let metadata = entry.metadata().context(context)?;
                found.push((metadata.modified().context(context)?, kept));
            }
        }
        found.sort_by_key(|(used, _)| *used);
        Ok(found.into_iter().map(|(_, kept)| kept).collect())
    }

    /// Opens a complete file; hashes it, unless this process has seen its bytes.
    ///
    /// # Errors
    /// [`Error::Truncated`] or [`Error::Io`] when it isn't what its name says.
    pub(super) fn open_file(&self, kept: &Kept) -> Result<DiskReader> {
        let path = self.root.join(kept.name());
        let reader = DiskReader::open(&path, &self.pool)?;
        if reader.size() != kept.size {
            return Err(Error::Truncated { stored: reader.size(), expected: kept.size });
        }
        if !kept.verified && hash(&path)? != kept.sha256 {
            return Err(Error::Io(ErrorKind::InvalidData.into(), format!("{} has changed", path.display())));
        }
        // Remembers the use across a restart; only a hint.
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        };
        let _ = utimensat(CWD, &path, &times, AtFlags::empty());
        Ok(reader)
    }

    /// Makes the file of a blob that is coming.
    pub(super) fn create(&self, key: &str, coming: u64) -> Result<File> {
        let path = self.part(key, coming);
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true);
        options.open(&path).context(|| format!("cannot make {}", path.display()))
    }

    /// Gives a file that is complete its name, once it is on the disk.
    pub(super) fn complete(&self, file: &File, coming: u64, kept: &Kept) -> Result<()> {
        let path = self.part(&kept.key, coming);
        let context = || format!("cannot complete {}", path.display());
        file.sync_data().context(context)?;
        fs::rename(&path, self.root.join(kept.name())).context(context)
    }

    /// Removes the file of a blob that didn't come.
    pub(super) fn give_up(&self, key: &str, coming: u64) -> Result<()> {
        remove(&self.part(key, coming))
    }

    /// Removes a complete file.
    pub(super) fn remove(&self, kept: &Kept) -> Result<()> {
        remove(&self.root.join(kept.name()))
    }

    /// A blob may come anew while an earlier coming, which was forgotten, still writes: each has a file of its own.
    fn part(&self, key: &str, coming: u64) -> PathBuf {
        self.root.join(format!("{key}.{coming}{PART}"))
    }
}

/// Tells whether a name without its ending is that of a blob that was coming.
fn is_part(stem: &str) -> bool {
    stem.split_once('.').is_some_and(|(key, number)| key.len() == 64 && number.parse::<u64>().is_ok())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result.context(|| format!("cannot remove {}", path.display())),
    }
}

fn hash(path: &Path) -> Result<String> {
    let context = || format!("cannot read {}", path.display());
    let mut file = File::open(path).context(context)?;
    let (mut hasher, mut buffer) = (Hasher::new(Algorithm::Sha256), vec![0; STEP]);
    loop {
        match file.read(&mut buffer).context(context)? {
            0 => return Ok(hasher.finish().hex()),
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}
