//! The collection itself, phase by phase.

use std::time::{Duration, Instant};

use berth_blobs::UploadId;
use berth_catalog::{event, job, review, upload};
use berth_jobs::{Failure, Work};
use jiff::{SignedDuration, Timestamp};

use super::job::CollectOrder;
use super::report::Phase;
use crate::config::seconds;
use crate::{CollectReport, Error, Registry, Result, Untagged, new_event};

/// Decisions per unit of work: a push waits behind one at most.
pub(super) const BATCH: usize = 64;
/// Ended jobs stay this long for those who ask how they went.
const JOB_MEMORY: SignedDuration = SignedDuration::from_hours(24);

/// One collection at work.
pub(super) struct Sweep<'a> {
    pub(super) registry: &'a Registry,
    pub(super) work: &'a Work,
    delay: SignedDuration,
    pub(super) report: CollectReport,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Retry(format!(
            "{error}: {}",
            std::error::Error::source(&error).map_or_else(String::new, ToString::to_string)
        ))
    }
}

impl Registry {
    /// Collects garbage; see the module's documentation.
    pub(super) async fn collect(&self, order: &CollectOrder, work: &Work) -> Result<CollectReport, Failure> {
        let delay = seconds(order.delay_seconds.unwrap_or(self.0.config.gc.delay_seconds));
        let report = CollectReport { dry_run: order.dry_run, ..CollectReport::default() };
        let mut sweep = Sweep { registry: self, work, delay, report };
        if order.dry_run {
            sweep.foresee().await?;
            return Ok(sweep.report);
        }
        // What waits already goes first: on a full disk the phases below may have no room to write.
        sweep.trash().await?;
        sweep.expire_uploads().await?;
        if self.0.config.gc.untagged == Untagged::Delete {
            sweep.manifests().await?;
        }
        sweep.links().await?;
        sweep.blobs().await?;
        sweep.trash().await?;
        sweep.jobs().await?;
        Ok(sweep.report)
    }
}

impl Sweep<'_> {
    /// Marks before this moment are due.
    pub(super) fn cutoff(&self) -> Timestamp {
        self.registry.now().saturating_sub(self.delay).unwrap_or(Timestamp::MIN)
    }

    /// Rests as long as the batch took, so that pushes get every other turn of the writer; ends the sweep if asked.
    pub(super) async fn rest(&self, since: Instant) -> Result<(), Failure> {
        let time = since.elapsed().min(Duration::from_millis(100));
        if self.work.should_stop() {
            return Err(Failure::Stopped);
        }
        self.work.pause(time).await;
        Ok(())
    }

    pub(super) fn stale_before(&self) -> Timestamp {
        let lifetime = seconds(self.registry.0.config.limits.upload_lifetime_seconds);
        self.registry.now().saturating_sub(lifetime).unwrap_or(Timestamp::MIN)
    }

    async fn expire_uploads(&mut self) -> Result<(), Failure> {
        loop {
            let started = Instant::now();
            let before = self.stale_before();
            let catalog = &self.registry.0.catalog;
            let stale = catalog
                .read(async |r| upload::list_stale(r, before, BATCH).await)
                .await
                .map_err(Error::from)?;
            let mut expired = 0;
            for id in &stale {
                let id: UploadId =
                    id.parse().map_err(|_| Failure::Permanent(format!("upload id {id} is not one")))?;
                expired += u64::from(self.registry.expire_upload(id, before).await?);
            }
            self.report.uploads_expired += expired;
            if expired == 0 {
                return Ok(());
            }
            self.rest(started).await?;
        }
    }

    /// Collects manifests that nothing needs, until a whole pass finds none: a collected index frees its children.
    async fn manifests(&mut self) -> Result<(), Failure> {
        loop {
            let before = self.report.manifests;
            self.manifests_once().await?;
            if self.report.manifests == before {
                return Ok(());
            }
        }
    }

    async fn manifests_once(&mut self) -> Result<(), Failure> {
        let (cutoff, catalog) = (self.cutoff(), &self.registry.0.catalog);
        let backlog = catalog.read(async |r| review::backlog(r, cutoff).await).await.map_err(Error::from)?;
        let mut phase = Phase::new("manifests", backlog.manifests);
        let mut last: Option<review::QuestionedManifest> = None;
        loop {
            let started = Instant::now();
            let items = catalog
                .read(async |r| review::list_manifests(r, cutoff, last.as_ref(), BATCH).await)
                .await
                .map_err(Error::from)?;
            let Some(end) = items.last() else { return Ok(()) };
            last = Some(end.clone());
            let (count, now) = (items.len(), self.registry.now());
            let collected = catalog.write(async move |tx| {
                let mut collected = 0;
                for item in &items {
                    if review::decide_manifest(tx, item, cutoff, now).await? {
                        let mut event = new_event(event::Kind::ManifestCollected, now, "system");
                        event.repository = Some(item.repository.name().clone());
                        event.digest = Some(item.digest);
                        event::append(tx, event).await;
                        collected += 1;
                    }
                }
                Ok::<u64, Error>(collected)
            });
            self.report.manifests += collected.await?;
            self.work.report(&phase.advance(count, &self.report));
            self.rest(started).await?;
        }
    }

    async fn links(&mut self) -> Result<(), Failure> {
        let (cutoff, catalog) = (self.cutoff(), &self.registry.0.catalog);
        let backlog = catalog.read(async |r| review::backlog(r, cutoff).await).await.map_err(Error::from)?;
        let mut phase = Phase::new("links", backlog.links);
        loop {
            let started = Instant::now();
            let items = catalog
                .read(async |r| review::list_links(r, cutoff, None, BATCH).await)
                .await
                .map_err(Error::from)?;
            if items.is_empty() {
                return Ok(());
            }
            let count = items.len();
            let dropped = catalog.write(async move |tx| {
                let mut dropped = 0;
                for item in &items {
                    dropped += u64::from(review::decide_link(tx, item, cutoff).await?);
                }
                Ok::<u64, Error>(dropped)
            });
            self.report.links += dropped.await?;
            self.report.links_reviewed += count as u64;
            self.work.report(&phase.advance(count, &self.report));
            self.rest(started).await?;
        }
    }

    async fn blobs(&mut self) -> Result<(), Failure> {
        let (cutoff, catalog) = (self.cutoff(), &self.registry.0.catalog);
        let backlog = catalog.read(async |r| review::backlog(r, cutoff).await).await.map_err(Error::from)?;
        let mut phase = Phase::new("blobs", backlog.blobs);
        loop {
            let started = Instant::now();
            let items = catalog
                .read(async |r| review::list_condemned(r, cutoff, BATCH).await)
                .await
                .map_err(Error::from)?;
            if items.is_empty() {
                return Ok(());
            }
            let (count, now) = (items.len(), self.registry.now());
            let gone = catalog.write(async move |tx| {
                let mut gone = (0, 0);
                for item in &items {
                    if review::decide_blob(tx, item, cutoff, now).await? {
                        gone = (gone.0 + 1, gone.1 + item.size);
                    }
                }
                Ok::<(u64, u64), Error>(gone)
            });
            let (blobs, bytes) = gone.await?;
            self.report.blobs += blobs;
            self.report.blob_bytes += bytes;
            self.work.report(&phase.advance(count, &self.report));
            if blobs == 0 {
                return Ok(());
            }
            self.rest(started).await?;
        }
    }

    /// Forgets jobs that ended long ago.
    async fn jobs(&mut self) -> Result<(), Failure> {
        let before = self.registry.now().saturating_sub(JOB_MEMORY).unwrap_or(Timestamp::MIN);
        self.registry
            .0
            .catalog
            .write(async move |tx| job::delete_ended(tx, before, 1000).await)
            .await
            .map_err(Error::from)?;
        Ok(())
    }
}
