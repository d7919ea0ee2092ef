//! The dry run: what a collection would do now. Nothing is changed.

use std::collections::HashMap;
use std::time::Instant;

use berth_catalog::blob::BlobId;
use berth_catalog::{link, review, trash, upload};
use berth_jobs::Failure;

use super::sweep::{BATCH, Sweep};
use crate::{Error, Untagged};

impl Sweep<'_> {
    /// Counts what a collection would do. What only becomes due with it is not followed: the blobs and children of manifests
    /// that would go wait for the delay once more.
    pub(super) async fn foresee(&mut self) -> Result<(), Failure> {
        let (cutoff, stale) = (self.cutoff(), self.stale_before());
        let (uploads, condemned, stored, waiting) = self
            .registry
            .0
            .catalog
            .read(async |r| {
                Ok::<_, Error>((
                    upload::count_stale(r, stale).await?,
                    review::condemned_totals(r, cutoff).await?,
                    trash::condemned_totals(r, cutoff).await?,
                    trash::totals(r).await?,
                ))
            })
            .await?;
        self.report.uploads_expired = uploads;
        (self.report.blobs, self.report.blob_bytes) = condemned;
        self.report.files_freed = stored.0 + waiting.0;
        self.report.bytes_freed = stored.1 + waiting.1;
        if self.registry.0.config.gc.untagged == Untagged::Delete {
            self.foresee_manifests().await?;
        }
        self.foresee_links().await
    }

    async fn foresee_manifests(&mut self) -> Result<(), Failure> {
        let (cutoff, catalog) = (self.cutoff(), &self.registry.0.catalog);
        let mut last: Option<review::QuestionedManifest> = None;
        loop {
            let started = Instant::now();
            let (end, unneeded) = catalog
                .read(async |r| {
                    let items = review::list_manifests(r, cutoff, last.as_ref(), BATCH).await?;
                    let mut unneeded = 0;
                    for item in &items {
                        unneeded += u64::from(!review::is_manifest_needed(r, item).await?);
                    }
                    Ok::<_, Error>((items.last().cloned(), unneeded))
                })
                .await?;
            if end.is_none() {
                return Ok(());
            }
            last = end;
            self.report.manifests += unneeded;
            self.rest(started).await?;
        }
    }

    /// Counts the links that would go, and the blobs that would lose their last one.
    async fn foresee_links(&mut self) -> Result<(), Failure> {
        let (cutoff, catalog) = (self.cutoff(), &self.registry.0.catalog);
        // Of each blob that would lose some: how many links are left.
        let mut left: HashMap<i64, u64> = HashMap::new();
        let mut last: Option<review::QuestionedLink> = None;
        loop {
            let started = Instant::now();
            let items = catalog
                .read(async |r| review::list_links(r, cutoff, last.as_ref(), BATCH).await)
                .await
                .map_err(Error::from)?;
            let Some(end) = items.last() else { return Ok(()) };
            last = Some(end.clone());
            self.report.links_reviewed += items.len() as u64;
            for item in items {
                let id = BlobId::cursor(item.blob);
                let known = left.get(&id).copied();
                let judged = catalog
                    .read(async |r| {
                        if link::is_needed(r, &item.repository, item.blob).await? {
                            return Ok(None);
                        }
                        let links = match known {
                            Some(links) => links,
                            None => review::count_links(r, item.blob).await?,
                        };
                        Ok::<_, Error>(Some((
                            links.saturating_sub(1),
                            trash::stored_size(r, item.blob).await?,
                        )))
                    })
                    .await?;
                let Some((links, stored)) = judged else { continue };
                left.insert(id, links);
                self.report.links += 1;
                if links == 0 {
                    self.report.blobs += 1;
                    self.report.blob_bytes += item.size;
                    self.report.files_freed += u64::from(stored.is_some());
                    self.report.bytes_freed += stored.unwrap_or(0);
                }
            }
            self.rest(started).await?;
        }
    }
}
