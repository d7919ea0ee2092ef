//! The place of a backup: a directory, or a prefix in a bucket. What lies there is the same, and may be copied from one to the other.
//!
//! ```text
//! blobs/sha256/ab/<hex>         bytes by digest, shared by all points
//! trail/                        the audit trail, shared by all points (see `trail`)
//! points/20261127T163301Z/      a point in time
//!   repository.jsonl …          the catalog's rows, one a line
//!   backup.json                 written last: without it the point is half a backup, and counts as none
//! lock, unfinished/             of a directory: held by the command that works on it; objects that are being written
//! lease                         of a bucket: renewed by the command that works on it
//! ```

use std::collections::HashMap;

use berth_blobs::{Shelf, ShelfLock};
use berth_oci::Digest;
use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::point::{FORMAT, Summary};

const BLOBS: &str = "blobs";
const POINTS: &str = "points";
const SUMMARY: &str = "backup.json";
/// Names the store of a registry, which keeps other things below the same names.
const IDENTITY: &str = "identity";
/// Summaries read at a time.
const READS: usize = 16;
/// Blobs copied at a time on a disk, which more would only make seek.
const DISK_COPIES: usize = 4;
/// Blobs copied at a time in a bucket, where each waits for answers; each takes up to three parts of memory.
const BUCKET_COPIES: usize = 12;

/// A backup.
#[derive(Debug)]
pub struct Archive {
    shelf: Shelf,
    lock: ShelfLock,
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
    /// Opens a place, or makes it, for a command that changes the backup there. [`close`](Self::close) it: others wait for a lock in a
    /// bucket that was not let go.
    ///
    /// # Errors
    /// [`Error::Locked`] while another command works on it, [`Error::Store`] where a registry keeps its blobs.
    pub async fn create(shelf: Shelf) -> Result<Self> {
        if shelf.size(IDENTITY).await?.is_some() {
            return Err(Error::Store(shelf.to_string()));
        }
        let lock = shelf.lock().await?.ok_or_else(|| Error::Locked(shelf.to_string()))?;
        Ok(Self { shelf, lock })
    }

    /// Opens a backup for a command that reads it.
    ///
    /// # Errors
    /// [`Error::NoPoint`] when there is none, [`Error::Locked`] while another command changes it.
    pub async fn open(shelf: Shelf) -> Result<Self> {
        if shelf.children(POINTS).await?.folders.is_empty() {
            return Err(Error::NoPoint(format!("{shelf} holds no backup")));
        }
        let lock = shelf.lock_to_read().await?.ok_or_else(|| Error::Locked(shelf.to_string()))?;
        Ok(Self { shelf, lock })
    }

    /// Opens a backup that is there for a command that changes it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn change(shelf: Shelf) -> Result<Self> {
        drop(Self::open(shelf.clone()).await?);
        Self::create(shelf).await
    }

    /// Lets others work on it.
    pub async fn close(self) {
        self.lock.release().await;
    }

    /// Fails if somebody else may be changing the backup by now.
    pub(crate) fn check_lock(&self) -> Result<()> {
        if self.lock.is_held() { Ok(()) } else { Err(Error::LockLost(self.shelf.to_string())) }
    }

    pub(crate) fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// Blobs to copy at a time.
    pub(crate) fn copies(&self) -> usize {
        if self.shelf.is_remote() { BUCKET_COPIES } else { DISK_COPIES }
    }

    /// Lists the points, oldest first.
    pub async fn points(&self) -> Result<Vec<Found>> {
        let names = self.shelf.children(POINTS).await?.folders;
        let found = names.into_iter().map(async |name| {
            let state = match self.summary(&name).await {
                Ok(Some(summary)) => State::Whole(summary),
                Ok(None) => State::Half,
                Err(error @ Error::Damaged { .. }) => State::Unreadable(error.to_string()),
                Err(error) => return Err(error),
            };
            Ok(Found { name, state })
        });
        futures_util::stream::iter(found).buffered(READS).try_collect().await
    }

    /// Finds the point to read: the latest whole one, or the latest at or before a time, given as a point's name or in
    /// RFC 3339.
    pub async fn choose(&self, wanted: Option<&str>) -> Result<(String, Summary)> {
        let points = self.points().await?;
        if let Some(Found { state: State::Unreadable(reason), .. }) =
            points.iter().find(|point| wanted == Some(point.name.as_str()))
        {
            return Err(Error::NoPoint(reason.clone()));
        }
        let mut whole = points.into_iter().filter_map(Found::whole).rev();
        let none = || Error::NoPoint(format!("{} holds no whole backup", self.shelf));
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

    /// Returns the folder of a point.
    pub(crate) fn point(name: &str) -> String {
        format!("{POINTS}/{name}")
    }

    /// Finds a name for a new point: its time; a second later if there is one.
    pub(crate) async fn new_point(&self, now: Timestamp) -> Result<(String, Timestamp)> {
        let taken = self.shelf.children(POINTS).await?.folders;
        let mut time = now;
        loop {
            let name = time.strftime("%Y%m%dT%H%M%SZ").to_string();
            if !taken.contains(&name) {
                return Ok((name, time));
            }
            time = time.saturating_add(jiff::SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX);
        }
    }

    /// Reads what a point holds; `None` for half a backup.
    async fn summary(&self, name: &str) -> Result<Option<Summary>> {
        let name = format!("{}/{SUMMARY}", Self::point(name));
        let Some(text) = self.shelf.get(&name).await? else { return Ok(None) };
        let damaged = |reason: String| Error::Damaged { file: format!("{}/{name}", self.shelf), reason };
        let summary: Summary = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if !(1..=FORMAT).contains(&summary.format) {
            return Err(damaged(format!(
                "its format is {}, this binary knows up to {FORMAT}",
                summary.format
            )));
        }
        Ok(Some(summary))
    }

    /// Makes a point whole: everything before is durable, then its summary gets its name.
    pub(crate) async fn seal(&self, name: &str, summary: &Summary) -> Result<()> {
        let name = format!("{}/{SUMMARY}", Self::point(name));
        let text = serde_json::to_vec_pretty(summary)
            .map_err(|error| Error::Io(error.into(), format!("cannot write {}/{name}", self.shelf)))?;
        self.check_lock()?;
        Ok(self.shelf.put(&name, text.into()).await?)
    }

    /// Takes a point's word back, then removes it.
    pub(crate) async fn remove_point(&self, name: &str) -> Result<()> {
        let folder = Self::point(name);
        self.shelf.delete(&format!("{folder}/{SUMMARY}")).await?;
        let mut listed = self.shelf.list(&folder);
        while let Some(object) = listed.try_next().await? {
            self.shelf.delete(&object.name).await?;
        }
        Ok(())
    }

    /// Returns the name of a blob's bytes.
    pub(crate) fn blob(digest: &Digest) -> String {
        let hex = digest.hex();
        format!("{BLOBS}/{}/{}/{hex}", digest.algorithm().as_str(), hex.get(..2).unwrap_or_default())
    }

    /// Lists the blobs that are there, with their sizes. One list costs a request for each thousand; it knows what an interrupted
    /// backup brought, and that something is gone, which no record of an earlier point does.
    pub(crate) async fn blobs(&self) -> Result<HashMap<Digest, u64>> {
        let mut listed = self.shelf.list(BLOBS);
        let mut blobs = HashMap::new();
        while let Some(object) = listed.try_next().await? {
            let mut parts = object.name.rsplit('/');
            let (hex, algorithm) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
            // A name that is not of a digest is nothing that a backup made.
            if let Ok(digest) = format!("{algorithm}:{hex}").parse::<Digest>()
                && Self::blob(&digest) == object.name
            {
                blobs.insert(digest, object.size);
            }
        }
        Ok(blobs)
    }
}
