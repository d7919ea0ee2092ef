//! What commits tell the rest of the process.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::generation::Generations;

/// Counters and channels that outlive any one connection.
#[derive(Debug)]
pub(crate) struct Signals {
    pub(crate) generations: Generations,
    pub(crate) sealed: watch::Sender<i64>,
    pub(crate) commits: AtomicU64,
    pub(crate) units: AtomicU64,
    pub(crate) retries: AtomicU64,
}

impl Signals {
    /// Starts counting, behind the event at position `sealed`.
    pub(crate) fn new(sealed: i64) -> Self {
        let (sealed, _) = watch::channel(sealed);
        Self {
            generations: Generations::new(),
            sealed,
            commits: 0.into(),
            units: 0.into(),
            retries: 0.into(),
        }
    }

    /// Says that events up to `position` are sealed; an older word is ignored.
    pub(crate) fn advance_sealed(&self, position: i64) {
        self.sealed.send_if_modified(|known| {
            let further = position > *known;
            *known = position.max(*known);
            further
        });
    }

    pub(crate) fn stats(&self) -> WriterStats {
        WriterStats {
            commits: self.commits.load(Ordering::Relaxed),
            units: self.units.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
        }
    }
}

/// How writing has gone since the start.
#[derive(Debug, Clone, Copy)]
pub struct WriterStats {
    /// Commits; on SQLite each one fsync.
    pub commits: u64,
    /// Units of work in them.
    pub units: u64,
    /// Times that a unit ran again, because it met another's on Postgres or lost its connection.
    pub retries: u64,
}
