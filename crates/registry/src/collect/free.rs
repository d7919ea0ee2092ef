//! The last phase: the bytes of rows that are gone.

use std::time::Instant;

use berth_blobs::Location;
use berth_catalog::trash;
use berth_jobs::Failure;

use super::report::Phase;
use super::sweep::{BATCH, Sweep};
use crate::Error;

impl Sweep<'_> {
    /// Frees the bytes of rows that are gone. A crash here leaves trash for the next collection, never a row without bytes;
    /// so does a file that can't be removed, which keeps nothing behind it from going.
    pub(super) async fn trash(&mut self) -> Result<(), Failure> {
        let catalog = &self.registry.0.catalog;
        let waiting = catalog.read(async |r| trash::totals(r).await).await.map_err(Error::from)?;
        let mut phase = Phase::new("files", waiting.0);
        let mut after = String::new();
        self.report.files_stuck = 0;
        loop {
            let started = Instant::now();
            let items =
                catalog.read(async |r| trash::list(r, &after, BATCH).await).await.map_err(Error::from)?;
            let Some(last) = items.last() else { return Ok(()) };
            after.clone_from(&last.location);
            let count = items.len();
            let freed = self.free(items).await;
            self.report.files_stuck += (count - freed.len()) as u64;
            for (_, bytes) in &freed {
                self.report.files_freed += u64::from(bytes.is_some());
                self.report.bytes_freed += bytes.unwrap_or(0);
            }
            catalog
                .write(async move |tx| {
                    for (location, bytes) in &freed {
                        trash::delete(tx, location.as_str(), *bytes).await?;
                    }
                    Ok::<_, Error>(())
                })
                .await?;
            self.work.report(&phase.advance(count, &self.report));
            self.rest(started).await?;
        }
    }

    /// Removes files, durably, and returns those that are gone with the bytes that each freed.
    async fn free(&self, items: Vec<trash::Trash>) -> Vec<(Location, Option<u64>)> {
        let blobs = &self.registry.0.blobs;
        let mut freed = Vec::with_capacity(items.len());
        for item in items {
            let location = Location::from(item.location);
            match blobs.delete(&location).await {
                Ok(bytes) => {
                    if let Some(bytes) = bytes
                        && bytes != item.size
                    {
                        tracing::warn!(%location, freed = bytes, expected = item.size, "another number of bytes was freed than the catalog knew");
                    }
                    freed.push((location, bytes));
                }
                Err(error) => {
                    tracing::error!(%location, %error, "could not remove a file, it stays in the trash");
                }
            }
        }
        let locations: Vec<_> = freed.iter().map(|(location, _)| location.clone()).collect();
        if let Err(error) = blobs.sync_deletions(&locations).await {
            tracing::error!(files = locations.len(), %error, "could not make the removal of files durable, they stay in the trash");
            freed.clear();
        }
        freed
    }
}
