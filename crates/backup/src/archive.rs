//! The directory of a backup.
//!
//! ```text
//! <dir>/
//!   lock                          held by the command that works on it
//!   blobs/sha256/ab/<hex>         bytes by digest, shared by all points
//!   unfinished/                   blobs that are being copied
//!   points/20261127T163301Z/      a point in time
//!     repository.jsonl …          the catalog's rows, one a line
//!     backup.json                 written last: without it the point is half a backup, and counts as none
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use berth_oci::Digest;
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{At as _, Error, Result};
use crate::point::{FORMAT, Summary};

const SUMMARY: &str = "backup.json";

/// A backup's directory.
#[derive(Debug)]
pub struct Archive {
    root: PathBuf,
    /// Held, not used; `None` where the directory can't be written to, as a mounted copy.
    _lock: Option<File>,
}

/// A point in the archive.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its name: the time it is of, as in `20261127T163301Z`.
    pub name: String,
    /// What there is of it.
    pub state: State,
}

/// What there is of a point.
#[derive(Debug, Clone)]
pub enum State {
    /// All of it, and what it holds.
    Whole(Summary),
    /// Half a backup.
    Half,
    /// A summary that this binary can't read, and why. Other points are of use all the same.
    Unreadable(String),
}

impl Found {
    /// Returns the name and the summary of a whole backup.
    pub fn whole(self) -> Option<(String, Summary)> {
        match self.state {
            State::Whole(summary) => Some((self.name, summary)),
            State::Half | State::Unreadable(_) => None,
        }
    }
}

impl Archive {
    /// Opens or makes the directory for a command that changes it.
    ///
    /// # Errors
    /// [`Error::Locked`] while another command works on it.
    pub fn create(root: &Path) -> Result<Self> {
        for directory in [root.to_owned(), root.join("blobs"), root.join("unfinished"), root.join("points")] {
            fs::create_dir_all(&directory).at("make", &directory)?;
        }
        sync(root)?;
        if let Some(parent) = root.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync(parent)?;
        }
        let lock = lock_file(root, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { root: root.to_owned(), _lock: Some(lock) })
    }

    /// Opens the directory for a command that reads it.
    ///
    /// # Errors
    /// [`Error::NoPoint`] when it is no backup, [`Error::Locked`] while another command changes it.
    pub fn open(root: &Path) -> Result<Self> {
        if !root.join("points").is_dir() {
            return Err(Error::NoPoint(format!("{} holds no backup", root.display())));
        }
        let lock = match lock_file(root, FlockOperation::NonBlockingLockShared) {
            Err(Error::Io(error, _)) if is_read_only(&error) => None,
            locked => Some(locked?),
        };
        Ok(Self { root: root.to_owned(), _lock: lock })
    }

    /// Lists the points, oldest first.
    pub fn points(&self) -> Result<Vec<Found>> {
        let directory = self.root.join("points");
        let mut found = Vec::new();
        for entry in fs::read_dir(&directory).at("list", &directory)? {
            let name = entry.at("list", &directory)?.file_name().to_string_lossy().into_owned();
            let state = match self.summary(&name) {
                Ok(Some(summary)) => State::Whole(summary),
                Ok(None) => State::Half,
                Err(error @ Error::Damaged { .. }) => State::Unreadable(error.to_string()),
                Err(error) => return Err(error),
            };
            found.push(Found { name, state });
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// Finds the point to read: the latest whole one, or the latest at or before a time, given as a point's name or in
    /// RFC 3339.
    pub fn choose(&self, wanted: Option<&str>) -> Result<(String, Summary)> {
        let points = self.points()?;
        if let Some(Found { state: State::Unreadable(reason), .. }) =
            points.iter().find(|point| wanted == Some(point.name.as_str()))
        {
            return Err(Error::NoPoint(reason.clone()));
        }
        let mut whole = points.into_iter().filter_map(Found::whole).rev();
        let none = || Error::NoPoint(format!("{} holds no whole backup", self.root.display()));
        let Some(wanted) = wanted else { return whole.next().ok_or_else(none) };
        let time = wanted.parse::<Timestamp>().ok();
        whole
            .find(|(name, summary)| name == wanted || time.is_some_and(|time| summary.taken_at <= time))
            .ok_or_else(|| {
                Error::NoPoint(format!(
                    "no point fits {wanted}: give latest, a name from `berth backup list`, or a time such as 2026-11-27T16:00:00Z"
                ))
            })
    }

    pub(crate) fn point(&self, name: &str) -> PathBuf {
        self.root.join("points").join(name)
    }

    /// Makes the directory of a new point, named after its time; a second later if there is one.
    pub(crate) fn new_point(&self, now: Timestamp) -> Result<(String, Timestamp)> {
        let mut time = now;
        loop {
            let name = time.strftime("%Y%m%dT%H%M%SZ").to_string();
            let path = self.point(&name);
            match fs::create_dir(&path) {
                Ok(()) => return Ok((name, time)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    time = time.saturating_add(jiff::SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX);
                }
                Err(error) => return Err(error).at("make", &path),
            }
        }
    }

    /// Reads what a point holds; `None` for half a backup.
    fn summary(&self, name: &str) -> Result<Option<Summary>> {
        let path = self.point(name).join(SUMMARY);
        let text = match fs::read(&path) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            read => read.at("read", &path)?,
        };
        let damaged = |reason: String| Error::Damaged { file: path.display().to_string(), reason };
        let summary: Summary = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if summary.format != FORMAT {
            return Err(damaged(format!("its format is {}, this binary knows {FORMAT}", summary.format)));
        }
        Ok(Some(summary))
    }

    /// Makes a point whole: everything before is durable, then its summary gets its name.
    pub(crate) fn seal(&self, name: &str, summary: &Summary) -> Result<()> {
        let directory = self.point(name);
        let (unfinished, path) = (directory.join("backup.json.new"), directory.join(SUMMARY));
        let text = serde_json::to_vec_pretty(summary)
            .map_err(|error| Error::Io(error.into(), format!("cannot write {}", path.display())))?;
        let mut file = File::create(&unfinished).at("make", &unfinished)?;
        file.write_all(&text).and_then(|()| file.sync_all()).at("write", &unfinished)?;
        sync(&directory)?;
        sync(&self.root.join("points"))?;
        fs::rename(&unfinished, &path).at("make", &path)?;
        sync(&directory)
    }

    /// Takes a point's word back, then removes it.
    pub(crate) fn remove_point(&self, name: &str) -> Result<()> {
        let directory = self.point(name);
        let summary = directory.join(SUMMARY);
        match fs::remove_file(&summary) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => removed.at("remove", &summary)?,
        }
        sync(&directory)?;
        fs::remove_dir_all(&directory).at("remove", &directory)?;
        sync(&self.root.join("points"))
    }

    /// Returns where a blob's bytes lie.
    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.blobs().join(digest.algorithm().as_str()).join(hex.get(..2).unwrap_or_default()).join(&hex)
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    pub(crate) fn unfinished(&self) -> PathBuf {
        self.root.join("unfinished")
    }

    /// Tells whether a blob's bytes are there, by their number.
    pub(crate) fn has(&self, digest: &Digest, size: u64) -> bool {
        fs::metadata(self.blob(digest)).is_ok_and(|metadata| metadata.len() == size)
    }
}

fn is_read_only(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

fn lock_file(root: &Path, operation: FlockOperation) -> Result<File> {
    let path = root.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).at("open", &path)?;
    match flock(&file, operation) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(Error::Locked(root.display().to_string())),
        Err(error) => Err(error).at("lock", &path),
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync(directory: &Path) -> Result<()> {
    File::open(directory).and_then(|file| file.sync_all()).at("sync", directory)
}
