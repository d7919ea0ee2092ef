//! Moves records that are old enough from the trail into signed archives, one node at a time.

use std::time::Duration;

use berth_blobs::Shelf;
use berth_catalog::trail::{self, Hash, Record, RetentionDays, Trail, cursor, head, retention};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::keys::SigningKeys;
use crate::{archive, statement};

/// Records to an archive.
const ARCHIVE: usize = 20_000;
/// Between two looks for what is old enough.
const TICK: Duration = Duration::from_hours(1);
/// Whose turn it is to archive.
const CURSOR: &str = "archive";
/// How long a node has for one archive before another may go on.
const LEASE: SignedDuration = SignedDuration::from_mins(5);

/// Moves records that are old enough to archives, one node at a time.
#[derive(Debug, Clone)]
pub struct Retention {
    trail: Trail,
    keys: SigningKeys,
    shelf: Shelf,
    days: RetentionDays,
    owner: String,
}

impl Retention {
    /// Moves what is older than `days` from `trail` to `shelf`, signed with `keys`.
    pub fn new(trail: Trail, keys: SigningKeys, shelf: Shelf, days: RetentionDays) -> Self {
        Self { trail, keys, shelf, days, owner: uuid::Uuid::new_v4().to_string() }
    }

    /// Looks every hour, until `stop` says true.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        loop {
            match self.archive(&stop).await {
                Ok(0) => {}
                Ok(records) => tracing::info!(records, "moved old records of the audit trail to archives"),
                Err(error) => tracing::warn!(%error, "cannot archive old records of the audit trail"),
            }
            if tokio::time::timeout(TICK, stop.wait_for(|stop| *stop)).await.is_ok() {
                return;
            }
        }
    }

    /// Moves all that is old enough, archive by archive, until `stop` says true. Returns how many records that were; none while
    /// another node is at it.
    pub async fn archive(&self, stop: &watch::Receiver<bool>) -> Result<u64> {
        let mut moved = 0;
        while !*stop.borrow() && self.is_my_turn().await? {
            let Some((records, before)) = self.next().await? else { break };
            if !self.keep(&records, &before).await? {
                break;
            }
            moved += records.len() as u64;
        }
        let owner = self.owner.clone();
        let released = self.trail.write(async move |tx| cursor::release(tx, CURSOR, &owner).await);
        released.await.map_err(|error: berth_catalog::Error| Error::from(error))?;
        Ok(moved)
    }

    /// Takes the lease, or renews it.
    async fn is_my_turn(&self) -> Result<bool> {
        let (owner, now) = (self.owner.clone(), self.trail.clock().now());
        let until = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
        let taken = self.trail.write(async move |tx| cursor::take(tx, CURSOR, &owner, 0, now, until).await);
        let taken = taken.await.map_err(|error: berth_catalog::Error| Error::from(error))?;
        Ok(taken.is_some())
    }

    /// Returns the first records that are old enough, and the hash before them.
    async fn next(&self) -> Result<Option<(Vec<Record>, Hash)>> {
        let (now, days) = (self.trail.clock().now(), self.days);
        let found = self.trail.snapshot(async |r| {
            let head = head::find(r).await?;
            let limit = head.first - 1 + i64::try_from(ARCHIVE).unwrap_or(i64::MAX);
            let old = retention::old_until(r, limit.min(head.position), days, now).await?;
            let count = usize::try_from(old - head.first + 1).unwrap_or(0);
            let records = trail::list(r, head.first - 1, count).await?;
            Ok::<_, berth_catalog::Error>((records, head.before))
        });
        Ok(Some(found.await?).filter(|(records, _)| !records.is_empty()))
    }

    /// Writes an archive, which is on the disk before the records go. Returns whether they went: another node may have been first.
    async fn keep(&self, records: &[Record], before: &Hash) -> Result<bool> {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(false) };
        let packed = archive::write(records, before, &self.keys)?;
        let (span, now, days) = ((first.position, last.position), self.trail.clock().now(), self.days);
        let archived = statement::sign(span, last.hash, &packed, now, &self.keys)?;
        self.shelf.put(&archived.file, Bytes::from(packed)).await?;
        let removed =
            self.trail.write(async move |tx| retention::remove(tx, &archived, days, now).await).await;
        removed.map_err(|error: berth_catalog::Error| error.into())
    }
}
