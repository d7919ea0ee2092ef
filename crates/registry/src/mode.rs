//! Read-only mode: the catalog says it for all nodes, this node follows.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use berth_access::ReadOnly;
use berth_catalog::mode::{self, Rest};
use berth_catalog::moving;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::cache::{Freshness, Known};
use crate::{Error, Registry, Result};

/// How often the catalog is asked: every node follows well within a second.
const LOOK: Duration = Duration::from_millis(250);

/// How this node stands to read-only mode.
#[derive(Debug, Default)]
pub(crate) struct Mode {
    switch: ReadOnly,
    /// The repair of the start was put off, because it writes.
    repair_owed: AtomicBool,
    /// When the registry moved away from here.
    moved_at: OnceLock<Timestamp>,
}

impl Registry {
    /// Returns this node's switch for read-only mode.
    pub fn read_only(&self) -> &ReadOnly {
        &self.0.mode.switch
    }

    /// Asks the catalog what the nodes have been told, and does it. A repair that was put off is made up for before anything is
    /// written again.
    pub async fn heed_mode(&self) -> Result<()> {
        let now = self.0.catalog.clock().now();
        let rests = self.0.catalog.read(async |r| mode::rests(r, now).await).await?;
        if rests == Some(Rest::Moved) {
            if self.0.mode.moved_at.get().is_none() {
                let moving = self.0.catalog.read(async |r| moving::find(r).await).await?;
                self.0.mode.moved_at.get_or_init(|| moving.map_or(now, |moving| moving.changed_at));
            }
            if self.read_only().set_moved() {
                tracing::warn!("the registry has moved: this node serves pulls, and never writes again");
            }
            return Ok(());
        }
        let told = rests.is_some();
        self.heed_import().await?;
        let opens = !told && !self.read_only().is_configured();
        if opens && self.0.mode.repair_owed.load(Ordering::Acquire) {
            let repaired = self.repair_now().await?;
            self.0.mode.repair_owed.store(false, Ordering::Release);
            tracing::info!(?repaired, "repaired what the last run left");
        }
        if self.read_only().set(told) {
            let now = if told { "read-only: pushes and deletes are refused" } else { "read and write again" };
            tracing::warn!("this node is {now}");
        }
        Ok(())
    }

    /// Says of an answer how old it is, once the registry has moved: what happened since has happened elsewhere.
    pub(crate) fn dated<T>(&self, known: Known<T>) -> Known<T> {
        match self.0.mode.moved_at.get() {
            Some(at) if !known.is_stale() => {
                let age = Duration::try_from(self.now().duration_since(*at)).unwrap_or_default();
                Known { freshness: Freshness::Stale(age), ..known }
            }
            _ => known,
        }
    }

    /// Follows what the catalog says until `stop` turns true. While it can't be asked everything stays as it is.
    pub async fn follow_mode(&self, mut stop: watch::Receiver<bool>) {
        let mut failing = false;
        while tokio::time::timeout(LOOK, stop.wait_for(|stop| *stop)).await.is_err() {
            match self.heed_mode().await {
                Ok(()) => failing = false,
                // Once, not four times a second.
                Err(error) if !failing => {
                    tracing::warn!(%error, "could not follow read-only mode, trying again");
                    failing = true;
                }
                Err(_) => {}
            }
        }
    }

    /// Refuses to write while the registry is read-only: for work that its permit has outlived.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.read_only().is_on() { Err(Error::ReadOnly) } else { Ok(()) }
    }

    /// Notes that the repair has to wait for the end of read-only mode.
    pub(crate) fn owe_repair(&self) {
        self.0.mode.repair_owed.store(true, Ordering::Release);
    }
}
