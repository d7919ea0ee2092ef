//! The collection as a durable job: on a schedule, or by `berth gc --now`.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use berth_catalog::job::Job;
use berth_jobs::{Failure, Handler, Work};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CollectReport, Registry};

/// Collects garbage. The payload may override the configured delay and ask for a dry run.
#[derive(Debug, Clone)]
pub struct CollectJob {
    registry: Registry,
    totals: Arc<Mutex<Totals>>,
}

/// What collections did since the start, for gauges.
#[derive(Debug, Clone, Default)]
struct Totals {
    runs: u64,
    report: CollectReport,
    last_seconds: f64,
}

/// What a collection is asked to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CollectOrder {
    /// Seconds that override `gc.delay_seconds`.
    pub(super) delay_seconds: Option<u64>,
    /// Only count.
    #[serde(default)]
    pub(super) dry_run: bool,
}

impl CollectJob {
    /// The job kind.
    pub const KIND: &'static str = "collect";

    /// Works collections of this registry.
    pub fn new(registry: Registry) -> Self {
        Self { registry, totals: Arc::default() }
    }

    /// Writes the payload of a job.
    pub fn payload(delay_seconds: Option<u64>, dry_run: bool) -> String {
        serde_json::json!({ "delay_seconds": delay_seconds, "dry_run": dry_run }).to_string()
    }

    /// Returns (collections, blobs collected, bytes freed, seconds of the last) since the start.
    pub fn totals(&self) -> (u64, u64, u64, f64) {
        let totals = self.totals.lock();
        (totals.runs, totals.report.blobs, totals.report.bytes_freed, totals.last_seconds)
    }
}

#[async_trait]
impl Handler for CollectJob {
    async fn run(&self, job: &Job, work: &Work) -> Result<Value, Failure> {
        let order: CollectOrder = serde_json::from_str(&job.payload)
            .map_err(|error| Failure::Permanent(format!("payload is not a collection's: {error}")))?;
        let started = Instant::now();
        let report = self.registry.collect(&order, work).await?;
        if report.blobs + report.manifests + report.uploads_expired > 0 {
            tracing::info!(?report, "collected garbage");
        }
        if !report.dry_run {
            let mut totals = self.totals.lock();
            totals.runs += 1;
            totals.report.blobs += report.blobs;
            totals.report.bytes_freed += report.bytes_freed;
            totals.last_seconds = started.elapsed().as_secs_f64();
        }
        if report.files_stuck > 0 {
            let stuck = report.files_stuck;
            return Err(Failure::Retry(format!("{stuck} files could not be removed: the log says why")));
        }
        serde_json::to_value(&report).map_err(|error| Failure::Permanent(error.to_string()))
    }
}
