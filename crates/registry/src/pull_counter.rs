//! Counts pulls off the hot path: an atomic per reference, written to the catalog about once a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use berth_catalog::pull::{self, Delta};
use berth_oci::RepositoryName;
use parking_lot::Mutex;

use crate::{Registry, Result};

/// How long a pull may wait to be written.
const FLUSH: Duration = Duration::from_millis(900);
/// Rows per unit of work: a push waits about 3 ms behind one, and many rows share a commit when many references are pulled.
const BATCH: usize = 512;

/// Pulls of one reference that are not written yet.
#[derive(Debug)]
pub(crate) struct Tally {
    repository: RepositoryName,
    reference: String,
    count: AtomicU64,
}

impl Tally {
    pub(crate) fn new(repository: &RepositoryName, reference: String) -> Arc<Self> {
        Arc::new(Self { repository: repository.clone(), reference, count: AtomicU64::new(0) })
    }
}

/// The references that were pulled since the last flush.
#[derive(Debug, Default)]
pub(crate) struct PullCounter(Mutex<Vec<Arc<Tally>>>);

impl PullCounter {
    pub(crate) fn record(&self, tally: &Arc<Tally>) {
        if tally.count.fetch_add(1, Ordering::Relaxed) == 0 {
            self.0.lock().push(Arc::clone(tally));
        }
    }
}

/// Puts neighbours in the table beside each other: a batch of many references then changes few pages, not one each.
async fn in_row_order(mut tallies: Vec<Arc<Tally>>) -> Vec<Arc<Tally>> {
    if tallies.len() > BATCH {
        let unsorted = tallies.clone();
        let sort = move || {
            tallies
                .sort_unstable_by(|a, b| (&a.repository, &a.reference).cmp(&(&b.repository, &b.reference)));
            tallies
        };
        // A million take long enough to hold up a thread that serves. Any order will do if there is no other.
        return tokio::task::spawn_blocking(sort).await.unwrap_or(unsorted);
    }
    tallies
}

impl Registry {
    /// Writes pull counts until `stop` turns true, and once more then.
    pub async fn count_pulls(&self, mut stop: tokio::sync::watch::Receiver<bool>) {
        loop {
            let stopped = tokio::time::timeout(FLUSH, stop.wait_for(|stop| *stop)).await.is_ok();
            if let Err(error) = self.flush_pulls().await {
                tracing::warn!(%error, "could not write pull counts, they are kept for the next try");
            }
            if stopped {
                return;
            }
        }
    }

    /// Writes what was counted so far. What can't be written is kept for the next time; while the registry is read-only that
    /// is all of it.
    pub async fn flush_pulls(&self) -> Result<()> {
        if self.read_only().is_on() {
            return Ok(());
        }
        let tallies = std::mem::take(&mut *self.0.pulls.0.lock());
        let tallies = in_row_order(tallies).await;
        let now = self.now();
        for (n, batch) in tallies.chunks(BATCH).enumerate() {
            let deltas: Vec<_> = batch
                .iter()
                .map(|tally| Delta {
                    repository: tally.repository.clone(),
                    reference: tally.reference.clone(),
                    count: tally.count.swap(0, Ordering::Relaxed),
                    last_at: now,
                })
                .collect();
            let counts: Vec<_> = deltas.iter().map(|delta| delta.count).collect();
            let written = self.0.catalog.write(async move |tx| {
                for delta in &deltas {
                    pull::add(tx, delta).await?;
                }
                Ok::<_, crate::Error>(())
            });
            if let Err(error) = written.await {
                self.put_back(batch, &counts, tallies.get((n + 1) * BATCH..).unwrap_or_default());
                return Err(error);
            }
        }
        Ok(())
    }

    /// Enlists again what was not written: the batch that failed, and those that were not tried and still hold their counts.
    fn put_back(&self, failed: &[Arc<Tally>], counts: &[u64], untried: &[Arc<Tally>]) {
        let mut pending = self.0.pulls.0.lock();
        for (tally, &count) in failed.iter().zip(counts) {
            // Above 0 it was pulled meanwhile, and so is enlisted already.
            if tally.count.fetch_add(count, Ordering::Relaxed) == 0 {
                pending.push(Arc::clone(tally));
            }
        }
        pending.extend(untried.iter().map(Arc::clone));
    }
}
