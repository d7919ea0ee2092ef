//! Read-only mode: the catalog says it for all nodes, this node follows.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use berth_access::ReadOnly;
use berth_catalog::mode::{self, Rest};
use tokio::sync::watch;

use crate::{Error, Registry, Result};

/// How often the catalog is asked: every node follows well within a second.
const LOOK: Duration = Duration::from_millis(250);

/// How this node stands to read-only mode.
#[derive(Debug, Default)]
pub(crate) struct Mode {
    switch: ReadOnly,
    /// The repair of the start was put off, because it writes.
    repair_owed: AtomicBool,
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
