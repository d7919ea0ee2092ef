//! Scrub: reads every blob again and compares, at a limited rate, and looks for files that nothing knows.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use berth_blobs::Location;
use berth_catalog::blob::{self, Placement, ScrubItem};
use berth_catalog::job::Job;
use berth_catalog::trash;
use berth_jobs::{Failure, Handler, Work};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::pull::{BlobContent, BlobHandle, matches};
use crate::{Error, Registry, Result};

/// Blobs read from the catalog at a time.
const BATCH: usize = 64;
/// Files listed at a time.
const FILES: usize = 1024;

/// What a scrub found, and how far it is; also what it resumes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Files that nothing knew; they were removed.
    pub orphans: u64,
    /// Their bytes.
    pub orphan_bytes: u64,
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
        if report.damaged + report.orphans > 0 {
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
                self.scrub_blob(&item, &mut report).await?;
                report.cursor = item.id.cursor();
                report.pace(started, bytes_before, checked_before);
                work.report(&serde_json::to_value(&report).unwrap_or_default());
                work.pause(behind(started, report.bytes - bytes_before, rate)).await;
                if work.should_stop() {
                    return Err(Failure::Stopped);
                }
            }
        }
        self.scrub_files(&mut report, work).await?;
        Ok(report)
    }

    async fn scrub_blob(&self, item: &ScrubItem, report: &mut ScrubReport) -> Result<()> {
        let fault = self.check(item).await?;
        report.checked += 1;
        report.bytes += item.size;
        match (fault, item.damaged) {
            (None, false) => {}
            (None, true) => {
                let id = item.id;
                self.0
                    .catalog
                    .write(async move |tx| blob::clear_damaged(tx, id).await)
                    .await
                    .map_err(Error::from)?;
                report.recovered += 1;
            }
            (Some(_), true) => report.damaged += 1,
            (Some(reason), false) => {
                if self.is_still(item).await? {
                    self.quarantine(item.digest, item.id, reason).await?;
                    report.damaged += 1;
                }
            }
        }
        Ok(())
    }

    /// Returns what is wrong with a blob's bytes.
    async fn check(&self, item: &ScrubItem) -> Result<Option<&'static str>> {
        let content = match &item.placement {
            Placement::Inline(content) => BlobContent::Inline(content.clone()),
            Placement::Stored(location) => {
                match self.0.blobs.open(&Location::from(location.as_str())).await {
                    Ok(reader) if reader.size() != item.size => return Ok(Some("its file has another size")),
                    Ok(reader) => BlobContent::Stored(reader),
                    Err(berth_blobs::Error::NotFound) => return Ok(Some("its bytes are gone")),
                    Err(error) => return Err(error.into()),
                }
            }
        };
        let handle = BlobHandle { digest: item.digest, size: item.size, content };
        Ok(if matches(&handle).await { None } else { Some("its bytes do not match its digest") })
    }

    /// Tells whether the row is as it was read: a blob collected or healed in the meantime is nobody's fault.
    async fn is_still(&self, item: &ScrubItem) -> Result<bool> {
        let before = item.id.cursor() - 1;
        let now = self.0.catalog.read(async |r| blob::list(r, before, 1).await).await?;
        Ok(now.first().is_some_and(|now| now.id == item.id && now.placement == item.placement))
    }

    /// Removes files that no row points at and no upload is publishing.
    async fn scrub_files(&self, report: &mut ScrubReport, work: &Work) -> Result<(), Failure> {
        let mut after: Option<Location> = None;
        loop {
            let files = self.0.blobs.scan(after.as_ref(), FILES).await.map_err(Error::from)?;
            let Some((last, _)) = files.last() else { return Ok(()) };
            after = Some(last.clone());
            // Asked in this order: a publication keeps its marker until after its commit.
            let publishing: HashSet<Location> = self
                .0
                .blobs
                .leftovers()
                .await
                .map_err(Error::from)?
                .into_iter()
                .filter_map(|leftover| leftover.location)
                .collect();
            for (location, size) in files {
                if !publishing.contains(&location) && !self.is_known(&location).await? {
                    self.0.blobs.delete(&location).await.map_err(Error::from)?;
                    report.orphans += 1;
                    report.orphan_bytes += size;
                }
            }
            if work.should_stop() {
                return Err(Failure::Stopped);
            }
        }
    }

    async fn is_known(&self, location: &Location) -> Result<bool> {
        let text = location.as_str();
        self.0
            .catalog
            .read(async |r| Ok(blob::is_at(r, text).await? || trash::contains(r, text).await?))
            .await
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

/// How long to wait so that `bytes` since `started` stay within `rate` bytes per second.
#[expect(clippy::cast_precision_loss, reason = "a waiting time")]
fn behind(started: Instant, bytes: u64, rate: u64) -> Duration {
    if rate == 0 {
        return Duration::ZERO;
    }
    Duration::from_secs_f64(bytes as f64 / rate as f64).saturating_sub(started.elapsed())
}
