//! Schedules: work that comes again.

use std::time::Duration;

use berth_catalog::job::{self, NewJob};
use berth_catalog::{Catalog, Result, Tx};
use jiff::{SignedDuration, Timestamp};

/// A job kind that runs every so often: the next run is enqueued in the same unit of work that ends the last one.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Job kind; also the slot, so that at most one is open.
    pub kind: &'static str,
    /// Time from the end of one run to the start of the next; `None` for never, which also removes the run that waits.
    pub every: Option<Duration>,
    /// The handler's input, JSON.
    pub payload: String,
}

impl Schedule {
    /// Makes the queue fit the schedule: one run is open, and none waits longer or with another payload than this one says.
    pub(crate) async fn plan(&self, catalog: &Catalog) -> Result<()> {
        let (schedule, now) = (self.clone(), catalog.clock().now());
        catalog
            .write(async move |tx| match schedule.next(now) {
                Some(run_at) => {
                    schedule.enqueue(tx, now).await?;
                    job::hasten(tx, schedule.kind, &schedule.payload, run_at).await
                }
                None => job::cancel(tx, schedule.kind).await,
            })
            .await
    }

    /// Enqueues the next run unless one is open.
    pub(crate) async fn enqueue(&self, tx: &mut Tx, now: Timestamp) -> Result<()> {
        let Some(run_at) = self.next(now) else { return Ok(()) };
        let new = NewJob {
            kind: self.kind,
            slot: Some(self.kind.to_owned()),
            payload: self.payload.clone(),
            run_at,
        };
        job::enqueue(tx, &new, now).await.map(drop)
    }

    fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.every.map(|every| after(now, SignedDuration::try_from(every).unwrap_or(SignedDuration::MAX)))
    }
}

/// Adds up to the end of time, which a configured "never" may lie behind.
pub(crate) fn after(now: Timestamp, wait: SignedDuration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}
