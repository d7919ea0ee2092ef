use std::time::Duration;

use berth_blobs::Shelf;
use berth_catalog::trail::{self, Hash, Record, RetentionDays, Trail, head, retention};
use bytes::Bytes;
use tokio::sync::watch;

use crate::archive;
use crate::checkpoint::Checkpoints;
use crate::error::Result;
use crate::keys::SigningKeys;

/// Records to an archive.
const ARCHIVE: usize = 20_000;
/// Between two looks for what is old enough.
const TICK: Duration = Duration::from_hours(1);

/// Moves records that are old enough to archives.
#[derive(Debug, Clone)]
pub struct Retention {
    trail: Trail,
    checkpoints: Checkpoints,
    keys: SigningKeys,
    shelf: Shelf,
    days: RetentionDays,
}

impl Retention {
    /// Moves what is older than `days` from `trail` to `shelf`, signed with `keys`.
    pub fn new(
        trail: Trail,
        checkpoints: Checkpoints,
        keys: SigningKeys,
        shelf: Shelf,
        days: RetentionDays,
    ) -> Self {
        Self { trail, checkpoints, keys, shelf, days }
    }

    /// Looks every hour, until `stop` says true.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        loop {
            match self.archive().await {
                Ok(0) => {}
                Ok(records) => tracing::info!(records, "moved old records of the audit trail to archives"),
                Err(error) => tracing::warn!(%error, "cannot archive old records of the audit trail"),
            }
            if tokio::time::timeout(TICK, stop.wait_for(|stop| *stop)).await.is_ok() {
                return;
            }
        }
    }

    /// Moves all that is old enough. Returns how many records that were.
    pub async fn archive(&self) -> Result<u64> {
        let mut moved = 0;
        loop {
            let head = self.trail.read(async |r| head::find(r).await).await?;
            let now = self.trail.clock().now();
            let cutoff = self.days.cutoff(now);
            let first = head.first;
            let mut records = self.trail.read(async |r| trail::list(r, first - 1, ARCHIVE).await).await?;
            let old = records.iter().take_while(|record| record.entry.at < cutoff).count();
            records.truncate(old);
            let Some(last) = records.last().map(|record| record.position) else { return Ok(moved) };
            self.keep(&records, &head.before).await?;
            // The signature says from where on the chain is to be here.
            if let Some(record) = records.last() {
                self.checkpoints.sign(record.position, record.hash).await?;
            }
            let days = self.days;
            self.trail.write(async move |tx| retention::delete_until(tx, last, days, now).await).await?;
            moved += records.len() as u64;
        }
    }

    /// Writes an archive; it is on the disk when this returns.
    async fn keep(&self, records: &[Record], before: &Hash) -> Result<()> {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(()) };
        let packed = archive::write(records, before, &self.keys)?;
        Ok(self.shelf.put(&archive::name(first.position, last.position), Bytes::from(packed)).await?)
    }
}
