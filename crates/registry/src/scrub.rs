//! Scrub: reads every blob again and compares, at a limited rate, and looks for files that nothing knows.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use berth_blobs::{BlobReader, Leftover, Location, UploadId};
use berth_catalog::blob::{self, Placement, ScrubItem};
use berth_catalog::job::Job;
use berth_catalog::{Tx, trash, upload};
use berth_jobs::{Failure, Handler, Work};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::seconds;
use crate::pull::{BlobContent, BlobHandle};
use crate::rehash::{Pace, Verdict, compare};
use crate::{Error, Registry, Result};

/// Blobs read from the catalog at a time.
const BATCH: usize = 64;
/// Files listed at a time.
const FILES: usize = 1024;

/// What a scrub found, and how far it is; also what it resumes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScrubReport {
    /// Blobs up to this row are done.
    pub cursor: i64,
    /// Blobs to check in all, as known at the start.
    pub total: u64,
    /// Blobs checked.
    pub checked: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs found damaged or missing, old cases included.
    pub damaged: u64,
    /// Blobs that were out of service and are whole again.
    pub recovered: u64,
    /// Blobs that could not be read to the end: nobody knows how they are.
    pub unreadable: u64,
    /// Files that nothing knew; they were removed.
    pub orphans: u64,
    /// Their bytes.
    pub orphan_bytes: u64,
    /// Uploads that are no more, of which something was left beside blobs; it was removed.
    pub leftovers: u64,
    /// Bytes read per second so far.
    pub bytes_per_second: u64,
    /// Seconds left at that rate, by number of blobs.
    pub eta_seconds: u64,
}

/// Scrubs as a durable job; a job that was cut off goes on where its progress says.
#[derive(Debug, Clone)]
pub struct ScrubJob(Registry);

impl ScrubJob {
    /// The job kind.
    pub const KIND: &'static str = "scrub";

    /// Works scrubs of this registry.
    pub fn new(registry: Registry) -> Self {
        Self(registry)
    }

    /// Writes the payload of a job; without a rate the configured one holds, 0 is no limit.
    pub fn payload(bytes_per_second: Option<u64>) -> String {
        serde_json::json!({ "bytes_per_second": bytes_per_second }).to_string()
    }
}

#[derive(Debug, Deserialize)]
struct ScrubOrder {
    bytes_per_second: Option<u64>,
}

#[async_trait]
impl Handler for ScrubJob {
    async fn run(&self, job: &Job, work: &Work) -> Result<Value, Failure> {
        let order: ScrubOrder = serde_json::from_str(&job.payload)
            .map_err(|error| Failure::Permanent(format!("payload is not a scrub's: {error}")))?;
        let resumed =
            job.progress.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        let rate = order.bytes_per_second.unwrap_or(self.0.config().scrub.bytes_per_second);
        let report = self.0.scrub(resumed, rate, work).await?;
        if report.damaged + report.orphans + report.unreadable > 0 {
            tracing::warn!(?report, "scrub found damage");
        }
        serde_json::to_value(&report).map_err(|error| Failure::Permanent(error.to_string()))
    }
}

impl Registry {
    async fn scrub(&self, mut report: ScrubReport, rate: u64, work: &Work) -> Result<ScrubReport, Failure> {
        let (started, bytes_before, checked_before) = (Instant::now(), report.bytes, report.checked);
        let totals = self.0.catalog.read(async |r| blob::totals(r).await).await.map_err(Error::from)?;
        report.total = report.checked.max(totals.blobs);
        let mut pace = Pace::of(work, rate);
        loop {
            let after = report.cursor;
            let items = self
                .0
                .catalog
                .read(async |r| blob::list(r, after, BATCH).await)
                .await
                .map_err(Error::from)?;
            if items.is_empty() {
                break;
            }
            for item in items {
                self.scrub_blob(&item, &mut pace, &mut report).await?;
                report.cursor = item.id.cursor();
                report.pace(started, bytes_before, checked_before);
                work.report(&serde_json::to_value(&report).unwrap_or_default());
                if work.should_stop() {
                    return Err(Failure::Stopped);
                }
            }
        }
        self.scrub_uploads(&mut report, work).await?;
        self.scrub_files(&mut report, work).await?;
        Ok(report)
    }

    /// Checks one blob. One that was collected or healed since its row was read is nobody's fault: it gets and loses no mark.
    async fn scrub_blob(
        &self,
        item: &ScrubItem,
        pace: &mut Pace<'_>,
        report: &mut ScrubReport,
    ) -> Result<(), Failure> {
        match (self.check(item, pace).await, item.damaged) {
            (Verdict::Stopped, _) => return Err(Failure::Stopped),
            (Verdict::Matches, false) => {}
            (Verdict::Matches, true) => {
                let ScrubItem { id, digest, placement, .. } = item.clone();
                let unit = async move |tx: &mut Tx| blob::clear_damaged(tx, id, &digest, &placement).await;
                report.recovered += u64::from(self.0.catalog.write(unit).await.map_err(Error::from)?);
            }
            (Verdict::Differs(_), true) => report.damaged += 1,
            (Verdict::Differs(reason), false) => {
                let marked = self.quarantine(item.digest, item.id, &item.placement, reason).await?;
                report.damaged += u64::from(marked);
            }
            (Verdict::Unreadable(error), _) => {
                tracing::error!(digest = %item.digest, %error, "could not read a blob, it stays in service as it is");
                report.unreadable += 1;
            }
        }
        report.checked += 1;
        report.bytes += item.size;
        Ok(())
    }

    /// Reads a blob's bytes.
    async fn check(&self, item: &ScrubItem, pace: &mut Pace<'_>) -> Verdict {
        let content = match &item.placement {
            Placement::Inline(content) => BlobContent::Inline(content.clone()),
            Placement::Stored(location) => match self.open_whole(location, item.size).await {
                Ok(Opened::Whole(reader)) => BlobContent::Stored(reader),
                Ok(Opened::Differs(reason)) => return Verdict::Differs(reason),
                Err(error) => return Verdict::Unreadable(error),
            },
        };
        compare(&BlobHandle { digest: item.digest, size: item.size, content }, pace).await
    }

    /// Removes what uploads left that have ended: a session has its row from before its first byte, so one without a row
    /// can't be committed any more. What brings bytes without a session, an import, has the collector's delay for it.
    async fn scrub_uploads(&self, report: &mut ScrubReport, work: &Work) -> Result<(), Failure> {
        let delay = seconds(self.0.config.gc.delay_seconds);
        let before = self.now().saturating_sub(delay).unwrap_or(Timestamp::MIN);
        let mut after: Option<UploadId> = None;
        loop {
            let uploads = self.0.blobs.scan_uploads(after.as_ref(), FILES).await.map_err(Error::from)?;
            let Some((last, _)) = uploads.last() else { return Ok(()) };
            after = Some(*last);
            for (upload, touched) in uploads {
                if touched < before && self.has_ended(&upload).await? {
                    match self.sweep_upload(&upload).await {
                        Ok(()) => report.leftovers += 1,
                        Err(error) => {
                            tracing::error!(%upload, %error, "could not remove what an upload left; the next scrub tries again");
                        }
                    }
                }
                if work.should_stop() {
                    return Err(Failure::Stopped);
                }
            }
        }
    }

    /// Opens stored bytes past every cache, and says whether all of them are there.
    pub(crate) async fn open_whole(&self, location: &str, size: u64) -> berth_blobs::Result<Opened> {
        let location = Location::from(location);
        let mut opened = self.0.blobs.open_uncached(&location).await;
        if self.may_lie_elsewhere(&location, &opened).await? {
            opened = self.0.blobs.open_uncached(&location).await;
        }
        match opened {
            Ok(reader) if reader.size() == size => Ok(Opened::Whole(reader)),
            Ok(_) => Ok(Opened::Differs("its file has another size")),
            Err(berth_blobs::Error::NotFound) => Ok(Opened::Differs("its bytes are gone")),
            Err(error) => Err(error),
        }
    }

    /// Removes files that no row points at and no upload is publishing.
    async fn scrub_files(&self, report: &mut ScrubReport, work: &Work) -> Result<(), Failure> {
        let mut after: Option<Location> = None;
        loop {
            let files = self.0.blobs.scan(after.as_ref(), FILES).await.map_err(Error::from)?;
            let Some((last, _)) = files.last() else { return Ok(()) };
            after = Some(last.clone());
            let under_way = self.under_way().await?;
            for (location, size) in files {
                if self.is_litter(&location, &under_way).await? {
                    match self.0.blobs.delete(&location).await {
                        Ok(Some(_)) => {
                            report.orphans += 1;
                            report.orphan_bytes += size;
                        }
                        // Collected since it was listed.
                        Ok(None) => {}
                        Err(error) => {
                            tracing::error!(%location, %error, "could not remove a file that nothing knows");
                        }
                    }
                }
            }
            if work.should_stop() {
                return Err(Failure::Stopped);
            }
        }
    }

    /// Lists what uploads are doing. Ask for it after the files and before the rows: a publication keeps its marker until
    /// after its commit.
    pub(crate) async fn under_way(&self) -> Result<UnderWay> {
        Ok(UnderWay(self.0.blobs.leftovers().await?))
    }

    /// Tells whether no row, no trash and no upload under way knows a file that was listed before.
    pub(crate) async fn is_litter(&self, location: &Location, under_way: &UnderWay) -> Result<bool> {
        let catalog = &self.0.catalog;
        if !self.0.blobs.lists_leftovers()
            && let Some(upload) = self.0.blobs.upload_of(location)
        {
            // Asked before the blobs: a commit ends the session in one transaction with the blob's row.
            let upload = upload.to_string();
            if catalog.read(async |r| upload::find(r, &upload).await).await?.is_some() {
                return Ok(false);
            }
        }
        Ok(!self.is_known(location).await? && !under_way.brings(location))
    }

    /// Tells whether a blob's row or the trash knows a location.
    pub(crate) async fn is_known(&self, location: &Location) -> Result<bool> {
        let text = location.as_str();
        let known = self
            .0
            .catalog
            .read(async |r| Ok::<_, Error>(blob::is_at(r, text).await? || trash::contains(r, text).await?));
        known.await
    }
}

/// What opening a blob found.
#[derive(Debug)]
pub(crate) enum Opened {
    /// As many bytes as there should be.
    Whole(Arc<dyn BlobReader>),
    /// Its bytes are wrong or missing, and why.
    Differs(&'static str),
}

/// Uploads at one moment.
#[derive(Debug, Default)]
pub(crate) struct UnderWay(Vec<Leftover>);

impl UnderWay {
    /// Tells whether an upload has published this file, or may again: one taken back returns to the location it had.
    fn brings(&self, location: &Location) -> bool {
        self.0.iter().any(|leftover| match &leftover.location {
            Some(published) => published == location,
            None => location.as_str().ends_with(&leftover.upload.to_string()),
        })
    }
}

impl ScrubReport {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate for people to read"
    )]
    fn pace(&mut self, started: Instant, bytes_before: u64, checked_before: u64) {
        let seconds = started.elapsed().as_secs_f64().max(0.001);
        self.bytes_per_second = ((self.bytes - bytes_before) as f64 / seconds) as u64;
        let per_second = (self.checked - checked_before) as f64 / seconds;
        self.eta_seconds =
            (self.total.saturating_sub(self.checked) as f64 / per_second.max(0.001)).ceil() as u64;
    }
}
