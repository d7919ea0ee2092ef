//! What a collection did, and how far it is.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::json;

/// What a collection did, or (dry run) would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CollectReport {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Upload sessions that had expired.
    pub uploads_expired: u64,
    /// Manifests collected.
    pub manifests: u64,
    /// Links looked at.
    pub links_reviewed: u64,
    /// Links dropped.
    pub links: u64,
    /// Blobs whose row went.
    pub blobs: u64,
    /// Bytes of those blobs.
    pub blob_bytes: u64,
    /// Files freed in the blob store; small blobs lie in the catalog and are not among them.
    pub files_freed: u64,
    /// Bytes freed there, as the store counted them (dry run: as the catalog knows them).
    pub bytes_freed: u64,
    /// Files that could not be removed; they stay in the trash.
    pub files_stuck: u64,
}

/// Follows one phase of a collection.
#[derive(Debug)]
pub(super) struct Phase {
    name: &'static str,
    total: u64,
    done: u64,
    started: Instant,
}

impl Phase {
    pub(super) fn new(name: &'static str, total: u64) -> Self {
        Self { name, total, done: 0, started: Instant::now() }
    }

    /// Counts items and returns the progress to show: done, total, items per second, seconds left.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate for people to read"
    )]
    pub(super) fn advance(&mut self, items: usize, report: &CollectReport) -> serde_json::Value {
        self.done += items as u64;
        self.total = self.total.max(self.done);
        let rate = self.done as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        let left = (self.total - self.done) as f64 / rate.max(0.001);
        json!({
            "phase": self.name,
            "done": self.done,
            "total": self.total,
            "per_second": rate.round() as u64,
            "eta_seconds": left.ceil() as u64,
            "report": report,
        })
    }
}
