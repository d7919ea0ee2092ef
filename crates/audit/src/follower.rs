//! Brings the events of the event log into the trail, each once, whichever node comes first.

use std::sync::Arc;
use std::time::Duration;

use berth_access::Persons;
use berth_catalog::trail::{self, Entry, Trail, head};
use berth_catalog::{Catalog, event};
use tokio::sync::watch;

use crate::entry::of_event;
use crate::error::Result;
use crate::reveal::reveal;

/// Events copied in one unit of work.
const BATCH: usize = 500;
/// How often it looks: other processes change the catalog, too.
const TICK: Duration = Duration::from_millis(250);
/// After a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Copies the event log into the trail, each event once: whichever node is first. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Follower {
    catalog: Catalog,
    trail: Trail,
    persons: Persons,
}

impl Follower {
    /// Copies from `catalog` to `trail`.
    pub fn new(catalog: Catalog, trail: Trail, persons: Persons) -> Self {
        Self { catalog, trail, persons }
    }

    /// Copies until `stop` says true, and then what is left.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut sealed = self.catalog.sealed();
        let mut failing = false;
        loop {
            let stopped = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => true,
                _ = tokio::time::timeout(if failing { PAUSE } else { TICK }, sealed.changed()) => false,
            };
            match self.copy().await {
                Ok(_) => {
                    if std::mem::take(&mut failing) {
                        tracing::info!("copying events into the audit trail again");
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!(%error, "cannot copy events into the audit trail, will go on trying");
                    }
                }
            }
            if stopped {
                return;
            }
        }
    }

    /// Copies what is sealed. Returns how many events that were.
    pub async fn copy(&self) -> Result<u64> {
        let mut copied = 0;
        loop {
            let after = self.trail.read(async |r| head::find(r).await).await?.event;
            let events = self.catalog.read(async |r| event::list(r, after, BATCH).await).await?;
            let Some(last) = events.last().map(|event| event.position) else { return Ok(copied) };
            let mut entries: Vec<Entry> = events.iter().map(of_event).collect();
            reveal(&self.persons, &mut entries).await?;
            let (entries, count): (Arc<[Entry]>, u64) = (entries.into(), events.len() as u64);
            let moved =
                self.trail.write(async move |tx| trail::copy_events(tx, after, last, &entries).await).await?;
            if moved.is_some() {
                copied += count;
            }
        }
    }

    /// Counts the events that are sealed and not copied.
    pub async fn lag(&self) -> Result<u64> {
        let copied = self.trail.read(async |r| head::find(r).await).await?.event;
        let (last, _) = self.catalog.read(async |r| event::last(r).await).await?;
        Ok(u64::try_from(last - copied).unwrap_or(0))
    }
}
