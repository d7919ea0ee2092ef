//! Keeps the snapshot in effect close behind the catalog, with rests between two readings.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use berth_catalog::{Catalog, Clock, Error, access_generation};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use super::{Snapshot, Stored, hidden};
use crate::policy::Rules;

/// How often the catalog is asked: what somebody may do changes on every node well within a second.
const LOOK: Duration = Duration::from_millis(250);

/// After a reading a node rests so many times as long as that took, so that whoever may change something small, such as an own
/// password for a client, can't keep all nodes busy reading a hundred thousand rows.
const REST: u32 = 4;
const LONGEST_REST: Duration = Duration::from_millis(500);

fn rest_after(reading: Duration) -> Duration {
    (reading * REST).min(LONGEST_REST)
}

/// The snapshot in effect, and where the next comes from.
#[derive(Debug)]
pub(crate) struct Source {
    current: ArcSwap<Snapshot>,
    catalog: Option<Catalog>,
    clock: Clock,
    /// One reads at a time, so that an older view never takes a newer one's place; and none before this moment, if there is one.
    reading: Mutex<Option<Instant>>,
}

impl Source {
    /// Rests on a configuration alone.
    pub(crate) fn of_rules(rules: &Arc<Rules>) -> Self {
        let clock = Clock::system();
        let current = ArcSwap::from_pointee(Snapshot::new(rules, Stored::nothing(clock.now())));
        Self { current, catalog: None, clock, reading: Mutex::default() }
    }

    /// Reads the catalog beside the configuration.
    pub(crate) async fn open(rules: &Arc<Rules>, catalog: &Catalog) -> Result<Self, Error> {
        let stored = Stored::load(catalog).await?;
        hidden::warn(rules, &stored);
        let current = ArcSwap::from_pointee(Snapshot::new(rules, stored));
        Ok(Self {
            current,
            catalog: Some(catalog.clone()),
            clock: catalog.clock().clone(),
            reading: Mutex::default(),
        })
    }

    pub(crate) fn snapshot(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.current.load()
    }

    pub(crate) fn snapshot_full(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Reads again if something has changed. What was committed before the call is in effect when it returns: all who call while one
    /// rests are served by the next reading.
    pub(crate) async fn refresh(&self) -> Result<(), Error> {
        let Some(catalog) = &self.catalog else { return Ok(()) };
        let mut rests_until = self.reading.lock().await;
        let generation = catalog.read(async |r| access_generation::find(r).await).await?;
        if self.current.load().generation() == Some(generation) {
            return Ok(());
        }
        if let Some(moment) = *rests_until {
            tokio::time::sleep_until(moment).await;
        }
        let began = Instant::now();
        // Should the caller go away in the middle.
        *rests_until = Some(began + LONGEST_REST);
        let outcome = self.read(catalog).await;
        *rests_until = Some(Instant::now() + rest_after(began.elapsed()));
        outcome
    }

    async fn read(&self, catalog: &Catalog) -> Result<(), Error> {
        let rules = Arc::clone(self.current.load().rules());
        let loaded = {
            let catalog = catalog.clone();
            // A hundred thousand rows are read and compiled in a tenth of a second: not on a thread that others' requests wait for.
            let runtime = tokio::runtime::Handle::current();
            tokio::task::spawn_blocking(move || {
                runtime.block_on(Stored::load(&catalog)).map(|stored| Snapshot::new(&rules, stored))
            })
        };
        let snapshot = loaded.await.map_err(|error| Error::Panicked(error.to_string()))??;
        self.current.store(Arc::new(snapshot));
        Ok(())
    }

    /// Follows the catalog until `stop` turns true. While it can't be asked, what was read last stays in effect.
    pub(crate) async fn follow(&self, mut stop: watch::Receiver<bool>) {
        let mut failing = false;
        while tokio::time::timeout(LOOK, stop.wait_for(|stop| *stop)).await.is_err() {
            match self.refresh().await {
                Ok(()) => failing = false,
                // Once, not four times a second.
                Err(error) if !failing => {
                    tracing::warn!(%error, "could not follow who may do what, trying again");
                    failing = true;
                }
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_reads_a_fifth_of_the_time_and_rests_for_half_a_second_at_most() {
        assert_eq!(rest_after(Duration::from_millis(5)), Duration::from_millis(20));
        assert_eq!(rest_after(Duration::from_secs(3)), LONGEST_REST);
        assert!(LONGEST_REST + LOOK < Duration::from_secs(1), "what changed counts within a second");
    }
}
