//! Schedules: work that comes again.

use std::time::Duration;

use berth_catalog::job::{self, NewJob};
use berth_catalog::{Catalog, Result, Tx};
use jiff::Timestamp;

/// A job kind that runs every so often: the next run is enqueued in the same unit of work that ends the last one.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Job kind; also the slot, so that at most one is open.
    pub kind: &'static str,
    /// Time from the end of one run to the start of the next.
    pub every: Duration,
    /// The handler's input, JSON.
    pub payload: String,
}

impl Schedule {
    /// Makes sure that a run is enqueued.
    pub(crate) async fn ensure(&self, catalog: &Catalog) -> Result<()> {
        let schedule = self.clone();
        let now = catalog.clock().now();
        catalog.write(async move |tx| schedule.enqueue(tx, now).await).await
    }

    /// Enqueues the next run unless one is open.
    pub(crate) async fn enqueue(&self, tx: &mut Tx, now: Timestamp) -> Result<()> {
        let new = NewJob {
            kind: self.kind,
            slot: Some(self.kind.to_owned()),
            payload: self.payload.clone(),
            run_at: now + jiff::SignedDuration::try_from(self.every).unwrap_or(jiff::SignedDuration::MAX),
        };
        job::enqueue(tx, &new, now).await.map(drop)
    }
}
