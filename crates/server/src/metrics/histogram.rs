//! A histogram of durations in atomics; the one of the metrics library takes a lock for every observation.

use std::collections::HashMap;
use std::fmt;
use std::iter::once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{MetricEncoder, NoLabelSet};
use prometheus_client::metrics::exemplar::Exemplar;

/// Upper bounds of the buckets, in microseconds: from a cached manifest to a layer of many gigabytes.
const BOUNDS_MICROS: [u64; 18] = [
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    15_000_000,
    60_000_000,
    300_000_000,
];

/// How long something took, by bucket.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    /// Observations per bucket, the last one beyond every bound.
    buckets: [AtomicU64; BOUNDS_MICROS.len() + 1],
    sum_micros: AtomicU64,
}

impl Histogram {
    /// Counts one observation.
    pub(crate) fn observe(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MICROS.partition_point(|bound| *bound < micros);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Writes the histogram in seconds.
    pub(crate) fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let bounds = BOUNDS_MICROS.iter().map(|bound| seconds(*bound)).chain(once(f64::INFINITY));
        let counts = self.buckets.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = seconds(self.sum_micros.load(Ordering::Relaxed));
        encoder.encode_histogram(sum, count, &buckets, None::<&HashMap<usize, Exemplar<NoLabelSet, f64>>>)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a metric needs no more than 53 bits")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
