//! Start-up: what a crash left is taken back or finished, from the store's leftovers and the catalog's word.

use berth_blobs::{Hasher, Leftover, Progress};
use berth_catalog::{blob, job, upload};

use crate::{Registry, Result};

/// What the repair did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Uploads brought back to where they were acknowledged.
    pub resumed: u64,
    /// Uploads whose blob was committed: only their marker went.
    pub settled: u64,
    /// Uploads that nothing knows: their bytes went.
    pub removed: u64,
    /// Uploads that could not be repaired; they stay for the next start.
    pub failed: u64,
}

impl Registry {
    /// Repairs what a crash left. Run once, alone on the data directory, before anything is served. While the registry is
    /// read-only this waits for the end of that: nothing is written meanwhile that it could harm.
    pub async fn repair(&self) -> Result<Repaired> {
        self.heed_mode().await?;
        if self.read_only().is_on() {
            self.owe_repair();
            return Ok(Repaired::default());
        }
        self.repair_now().await
    }

    pub(crate) async fn repair_now(&self) -> Result<Repaired> {
        // Looked at first: a write after a crash may have to carry a long log into the database before anything is served.
        let (_, running) = self.0.catalog.read(async |r| job::count_open(r).await).await?;
        // Where nodes share the catalog, what runs may be another's; its lease ends by itself if that one is gone.
        if running > 0 && !self.0.catalog.is_shared() {
            self.0.catalog.write(async |tx| job::release_all(tx).await).await?;
        }
        let mut repaired = Repaired::default();
        for leftover in self.0.blobs.leftovers().await? {
            if let Err(error) = self.repair_one(&leftover, &mut repaired).await {
                // Its marker stays, so nothing is lost or leaked: no reason not to serve the rest.
                tracing::error!(upload = %leftover.upload, %error, "could not repair what an upload left; the next start tries again");
                repaired.failed += 1;
            }
        }
        Ok(repaired)
    }

    async fn repair_one(&self, leftover: &Leftover, repaired: &mut Repaired) -> Result<()> {
        let text = leftover.upload.to_string();
        let row = self.0.catalog.read(async |r| upload::find(r, &text).await).await?;
        let blobs = &self.0.blobs;
        if let Some(row) = row.filter(|row| row.content.is_none())
            && let Some(hasher) = Hasher::restore(&row.hash_state)
        {
            // Opening takes back a publication that was not committed, and cuts off what was not acknowledged.
            match blobs.writer(&leftover.upload, Progress { offset: row.size, hasher }).await {
                Ok(writer) => drop(writer),
                Err(berth_blobs::Error::UploadLost) => {
                    tracing::error!(upload = %leftover.upload, "upload lost acknowledged bytes; its client must start again");
                    self.forget_upload(leftover.upload).await?;
                }
                Err(error) => return Err(error.into()),
            }
            repaired.resumed += 1;
            return Ok(());
        }
        match &leftover.location {
            Some(location) if self.is_committed(location.as_str()).await? => repaired.settled += 1,
            Some(location) => {
                blobs.delete(location).await?;
                repaired.removed += 1;
            }
            None => repaired.removed += 1,
        }
        Ok(blobs.discard(&leftover.upload).await?)
    }

    /// Tells whether a blob's row points at a location.
    pub(crate) async fn is_committed(&self, location: &str) -> Result<bool> {
        Ok(self.0.catalog.read(async |r| blob::is_at(r, location).await).await?)
    }
}
