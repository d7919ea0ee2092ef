//! How the registry stands, for probes and gauges.

use berth_catalog::{blob, event, job, review, trash, upload};

use crate::{Registry, Result, Untagged};

/// How the registry stands at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Status {
    /// Bytes the blob store can hold.
    pub capacity_bytes: u64,
    /// Bytes it can still take.
    pub available_bytes: u64,
    /// Blobs known, each once.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Blobs out of service because their bytes are wrong.
    pub damaged_blobs: u64,
    /// Upload sessions open.
    pub uploads: u64,
    /// Links and blobs that wait for the collector, and manifests unless they are kept without a tag too.
    pub review_backlog: u64,
    /// Bytes that wait to be freed.
    pub trash_bytes: u64,
    /// Jobs that wait.
    pub jobs_queued: u64,
    /// Jobs at work.
    pub jobs_running: u64,
    /// Position of the last sealed event.
    pub event_position: i64,
    /// Events committed and not sealed yet.
    pub events_unsealed: u64,
}

impl Registry {
    /// Counts everything; reads whole indexes, so ask seconds apart, not per request.
    pub async fn status(&self) -> Result<Status> {
        let capacity = self.0.blobs.capacity().await?;
        let now = self.now();
        // Each is marked when it comes; where untagged ones are kept, nothing ever reviews them.
        let reviewed = self.0.config.gc.untagged == Untagged::Delete;
        let manifests = |marked| if reviewed { marked } else { 0 };
        self.0
            .catalog
            .read(async |r| {
                let totals = blob::totals(r).await?;
                let backlog = review::backlog(r, now).await?;
                let (jobs_queued, jobs_running) = job::count_open(r).await?;
                Ok(Status {
                    capacity_bytes: capacity.total_bytes,
                    available_bytes: capacity.available_bytes,
                    blobs: totals.blobs,
                    blob_bytes: totals.bytes,
                    damaged_blobs: totals.damaged,
                    uploads: upload::count(r).await?,
                    review_backlog: backlog.links + manifests(backlog.manifests) + backlog.blobs,
                    trash_bytes: trash::totals(r).await?.1,
                    jobs_queued,
                    jobs_running,
                    event_position: event::last(r).await?.0,
                    events_unsealed: event::count_unsealed(r).await?,
                })
            })
            .await
    }
}
