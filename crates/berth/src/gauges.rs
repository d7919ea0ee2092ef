//! What `/metrics` shows of the rooms below the server, asked for at most every few seconds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use berth_audit::outlet::{OutletStat, OutletStats};
use berth_audit::{Audit, Stats};
use berth_blobs::{CacheStats, Cached};
use berth_catalog::ReplicaStats;
use berth_registry::{CollectJob, Health, Registry, Status};
use berth_server::{Sample, Sampler};
use parking_lot::Mutex;

/// Counting reads whole indexes: a scrape within this time gets the last answer.
const FRESH: Duration = Duration::from_secs(10);

/// What is at work beside the registry.
#[derive(Clone)]
pub(crate) struct Watched {
    pub(crate) collector: CollectJob,
    pub(crate) cache: Option<Cached>,
    pub(crate) audit: Audit,
    pub(crate) outlets: OutletStats,
}

/// Samples the registry, its jobs and its logs.
pub(crate) fn sampler(registry: Registry, watched: Watched) -> Sampler {
    let last: Arc<Mutex<Option<(Instant, Status)>>> = Arc::default();
    Box::new(move || {
        let (registry, watched) = (registry.clone(), watched.clone());
        let last = Arc::clone(&last);
        Box::pin(async move {
            let Watched { collector, cache, audit, outlets } = watched;
            let health = registry.health().await;
            let mut samples = reach(&health).to_vec();
            samples.extend(registry.catalog().replica_stats().into_iter().flat_map(replica));
            samples.extend(cache.iter().flat_map(|cache| cached(cache.stats())));
            samples.extend(recorded(audit.recorder().stats()));
            // What lags is asked of both databases.
            if health.database.is_none()
                && let Ok(lag) = audit.lag().await
            {
                samples.push(lagging(lag));
            }
            if health.database.is_none()
                && let Ok(stats) = outlets.take().await
            {
                samples.extend(stats.into_iter().flat_map(delivered));
            }
            let known = *last.lock();
            let status = match known {
                Some((at, status)) if at.elapsed() < FRESH => status,
                // What is out of reach would be waited for.
                _ if health.database.is_some() => return samples,
                _ => match registry.status().await {
                    Ok(status) => {
                        *last.lock() = Some((Instant::now(), status));
                        status
                    }
                    Err(error) => {
                        tracing::warn!(%error, "could not count for the metrics");
                        return samples;
                    }
                },
            };
            samples.extend(counted(&status, &registry, &collector));
            samples
        })
    })
}

fn reach(health: &Health) -> [Sample; 2] {
    let up = |trouble: &Option<String>| f64::from(u8::from(trouble.is_none()));
    [
        Sample::gauge("database_up", "1 while this node reaches the database", up(&health.database)),
        Sample::gauge("storage_up", "1 while this node reaches the blob store", up(&health.storage)),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floating point numbers")]
fn replica(stats: ReplicaStats) -> [Sample; 2] {
    let passed = "Lists that the primary answered because the replica was behind or away";
    [
        Sample::counter("replica_lists", "Lists that the replica answered", stats.served as f64),
        Sample::counter("replica_passed_lists", passed, stats.passed as f64),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floating point numbers")]
fn counted(status: &Status, registry: &Registry, collector: &CollectJob) -> Vec<Sample> {
    let writer = registry.catalog().writer_stats();
    let (collections, collected, freed, seconds) = collector.totals();
    vec![
        Sample::gauge("storage_capacity_bytes", "Bytes the store can hold", status.capacity_bytes as f64),
        Sample::gauge(
            "storage_available_bytes",
            "Bytes the store can still take",
            status.available_bytes as f64,
        ),
        Sample::gauge("storage_blobs", "Blobs known, each once", status.blobs as f64),
        Sample::gauge("storage_blob_bytes", "Bytes of those blobs", status.blob_bytes as f64),
        Sample::gauge("storage_damaged_blobs", "Blobs out of service", status.damaged_blobs as f64),
        Sample::gauge("uploads_open", "Upload sessions open", status.uploads as f64),
        Sample::gauge(
            "collect_backlog",
            "Links, manifests and blobs under review",
            status.review_backlog as f64,
        ),
        Sample::gauge("collect_trash_bytes", "Bytes that wait to be freed", status.trash_bytes as f64),
        Sample::counter("collect_runs", "Collections since the start", collections as f64),
        Sample::counter("collect_blobs", "Blobs collected since the start", collected as f64),
        Sample::counter("collect_freed_bytes", "Bytes freed in files since the start", freed as f64),
        Sample::gauge("collect_last_seconds", "Seconds the last collection took", seconds),
        Sample::gauge("jobs_queued", "Jobs that wait", status.jobs_queued as f64),
        Sample::gauge("jobs_running", "Jobs at work", status.jobs_running as f64),
        Sample::gauge("event_position", "Position of the last sealed event", status.event_position as f64),
        Sample::gauge("event_sealer_lag", "Events committed and not sealed", status.events_unsealed as f64),
        Sample::counter("catalog_commits", "Commits of the catalog, each one fsync", writer.commits as f64),
        Sample::counter("catalog_units", "Units of work in those commits", writer.units as f64),
        Sample::counter(
            "catalog_retries",
            "Units of work run again because another node's was first",
            writer.retries as f64,
        ),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floating point numbers")]
fn cached(stats: CacheStats) -> [Sample; 4] {
    [
        Sample::counter("disk_cache_hits", "Blobs opened from the disk cache", stats.hits as f64),
        Sample::counter("disk_cache_misses", "Blobs that had to be fetched", stats.misses as f64),
        Sample::counter(
            "disk_cache_corrupt",
            "Files of the disk cache that were not what they should have been",
            stats.corrupt as f64,
        ),
        Sample::gauge("disk_cache_bytes", "Bytes in the disk cache", stats.bytes as f64),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floating point numbers")]
fn delivered(stat: OutletStat) -> [Sample; 3] {
    let (delivered, failures, waiting) = if stat.name == "ship" {
        ("audit_shipped", "audit_ship_failures", "audit_ship_waiting")
    } else {
        ("audit_lines", "audit_lines_failures", "audit_lines_waiting")
    };
    let waits = "Records of the audit trail that are still to be delivered";
    [
        Sample::counter(
            delivered,
            "Records of the audit trail that this node delivered",
            stat.delivered as f64,
        ),
        Sample::counter(
            failures,
            "Deliveries of audit records that failed, and are tried again",
            stat.failures as f64,
        ),
        Sample::gauge(waiting, waits, stat.waiting as f64),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floating point numbers")]
fn recorded(stats: Stats) -> [Sample; 5] {
    let dropped = "Records of the audit trail that were lost";
    let repeats = "What was counted with a record of the audit trail that is like it";
    let spooled = "Bytes on disk of records that are not in the audit trail yet";
    [
        Sample::counter(
            "audit_records",
            "Records of pulls, logins and refusals written",
            stats.written as f64,
        ),
        Sample::counter("audit_repeats", repeats, stats.repeats as f64),
        Sample::counter("audit_dropped", dropped, stats.dropped as f64),
        Sample::gauge("audit_waiting", "Records in memory that are not written yet", stats.waiting as f64),
        Sample::gauge("audit_spooled_bytes", spooled, stats.spooled_bytes as f64),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floating point numbers")]
fn lagging(events: u64) -> Sample {
    Sample::gauge("audit_lag_events", "Sealed events that are not in the audit trail yet", events as f64)
}
