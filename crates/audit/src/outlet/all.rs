//! The outlets that are configured, run side by side, and how far each has come.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use berth_catalog::Catalog;
use berth_catalog::trail::{Trail, cursor, head};
use tokio::sync::watch;

use super::{Bulk, Lines, Outlet, Progress, Start, Undelivered};
use crate::config::Config;

const LINES: &str = "lines";
const SHIP: &str = "ship";

/// Every outlet that is configured.
#[derive(Debug)]
pub struct Outlets {
    trail: Trail,
    lines: Option<Outlet<Lines>>,
    ship: Option<Outlet<Bulk>>,
}

/// How outlets get on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OutletStats {
    trail: Trail,
    outlets: Vec<(&'static str, Arc<Progress>)>,
}

/// How one outlet gets on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutletStat {
    /// Which: `lines` or `ship`.
    pub name: &'static str,
    /// Records that this node has delivered.
    pub delivered: u64,
    /// Tries of this node that failed.
    pub failures: u64,
    /// Records that wait, whichever node delivers them.
    pub waiting: u64,
}

impl Outlets {
    /// Makes what is configured.
    ///
    /// # Errors
    /// Settings can't work.
    pub fn new(config: &Config, trail: &Trail, catalog: &Catalog) -> Result<Self, Undelivered> {
        let ship = config.ship.clone().map(Bulk::new).transpose()?;
        let ship = ship.map(|sink| Outlet::new(trail.clone(), catalog.clone(), SHIP, Start::Beginning, sink));
        // Whoever turns lines on wants to see what happens, not what happened in a year.
        let lines = config.lines.clone();
        let lines = lines.map(|sink| Outlet::new(trail.clone(), catalog.clone(), LINES, Start::Now, sink));
        Ok(Self { trail: trail.clone(), lines, ship })
    }

    /// Returns how they get on.
    pub fn stats(&self) -> OutletStats {
        let lines = self.lines.iter().map(|outlet| (LINES, Arc::clone(outlet.progress())));
        let ship = self.ship.iter().map(|outlet| (SHIP, Arc::clone(outlet.progress())));
        OutletStats { trail: self.trail.clone(), outlets: lines.chain(ship).collect() }
    }

    /// Delivers until `stop` says true.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let lines = async {
            if let Some(outlet) = self.lines {
                outlet.run(stop.clone()).await;
            }
        };
        let ship = async {
            if let Some(outlet) = self.ship {
                outlet.run(stop.clone()).await;
            }
        };
        tokio::join!(lines, ship);
    }
}

impl OutletStats {
    /// Asks the trail how much waits.
    pub async fn take(&self) -> Result<Vec<OutletStat>, berth_catalog::Error> {
        if self.outlets.is_empty() {
            return Ok(Vec::new());
        }
        let last = self.trail.read(async |r| head::find(r).await).await?.position;
        let mut stats = Vec::new();
        for (name, progress) in &self.outlets {
            let reached = self.trail.read(async |r| cursor::find(r, name).await).await?.unwrap_or(last);
            stats.push(OutletStat {
                name,
                delivered: progress.delivered.load(Ordering::Relaxed),
                failures: progress.failures.load(Ordering::Relaxed),
                waiting: u64::try_from(last - reached).unwrap_or(0),
            });
        }
        Ok(stats)
    }
}
