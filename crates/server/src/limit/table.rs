//! Who has begun how much, in a table of fixed size.
//!
//! Each key falls into one of many sets of a few cells. A cell holds when its key will have made up for all that it began (GCRA's
//! theoretical arrival time); a cell whose time has passed says nothing any more and may be another's. Where a flood fills a
//! set, who owes least is forgotten: what it owed is forgiven, nobody is made to pay for another.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::config::RateLimit;

const SETS: usize = 2_048;
const WAYS: usize = 8;

/// A rate and a burst, as this node applies them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bound {
    interval: Duration,
    /// How far ahead of its rate a key may be.
    ahead: Duration,
    patience: Duration,
}

/// What to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Now,
    /// It counts, but has to wait.
    In(Duration),
    /// It doesn't count; it may come again after this time.
    TooEarly(Duration),
}

/// Cells by hashed key. The hash has a key of its own, so that nobody can choose what falls together with another's.
#[derive(Debug)]
pub(super) struct Table {
    bound: Bound,
    hasher: RandomState,
    start: Instant,
    sets: Box<[Mutex<[Cell; WAYS]>]>,
    forgotten: AtomicU64,
}

/// Whose it is, by hash, and until when it matters, in nanoseconds since the start. An empty one never mattered.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    tag: u64,
    until: u64,
}

impl Bound {
    /// Returns what one of `nodes` nodes allows; none if nothing is limited.
    pub(super) fn of(limit: &RateLimit, nodes: u32) -> Option<Self> {
        let interval = limit.rate.interval()?.saturating_mul(nodes);
        let burst = (limit.burst / nodes).max(1);
        let patience = Duration::from_millis(limit.wait_milliseconds.into());
        Some(Self { interval, ahead: interval.saturating_mul(burst - 1), patience })
    }

    /// One, and the next after `interval`.
    pub(super) fn once_in(interval: Duration) -> Self {
        Self { interval, ahead: Duration::ZERO, patience: Duration::ZERO }
    }
}

impl Table {
    pub(super) fn new(bound: Bound) -> Self {
        Self {
            bound,
            hasher: RandomState::new(),
            start: Instant::now(),
            sets: (0..SETS).map(|_| Mutex::default()).collect(),
            forgotten: AtomicU64::new(0),
        }
    }

    /// Counts one more for `key`, unless it is too early. Who may not wait is too early at once.
    pub(super) fn take(&self, key: &impl Hash, now: Instant, may_wait: bool) -> Verdict {
        let now = self.since_start(now);
        let patience = if may_wait { nanos(self.bound.patience) } else { 0 };
        self.with(key, now, |cell| {
            let wait = self.wait(cell, now);
            if wait > patience {
                return Verdict::TooEarly(Duration::from_nanos(wait));
            }
            cell.until = cell.until.max(now).saturating_add(nanos(self.bound.interval));
            if wait == 0 { Verdict::Now } else { Verdict::In(Duration::from_nanos(wait)) }
        })
    }

    /// Tells how long it would be too early for one more of `key`; zero if it is not. Counts nothing, and keeps no cell for it.
    pub(super) fn look(&self, key: &impl Hash, now: Instant) -> Duration {
        let now = self.since_start(now);
        let (set, tag) = self.place(key);
        let cells = set.lock();
        let found = cells.iter().find(|cell| cell.tag == tag);
        Duration::from_nanos(found.map_or(0, |cell| self.wait(cell, now)))
    }

    /// Takes back one that was counted for `key`.
    pub(super) fn give_back(&self, key: &impl Hash, now: Instant) {
        let now = self.since_start(now);
        let (set, tag) = self.place(key);
        if let Some(cell) = set.lock().iter_mut().find(|cell| cell.tag == tag) {
            cell.until = cell.until.saturating_sub(nanos(self.bound.interval)).max(now);
        }
    }

    /// Number of keys that were forgotten while they still owed something.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::Relaxed)
    }

    fn wait(&self, cell: &Cell, now: u64) -> u64 {
        cell.until.saturating_sub(nanos(self.bound.ahead)).saturating_sub(now)
    }

    fn with<T>(&self, key: &impl Hash, now: u64, change: impl FnOnce(&mut Cell) -> T) -> T {
        let (set, tag) = self.place(key);
        let mut cells = set.lock();
        if let Some(cell) = cells.iter_mut().find(|cell| cell.tag == tag) {
            return change(cell);
        }
        let least = cells.iter_mut().min_by_key(|cell| cell.until);
        let mut fresh = Cell { tag, until: 0 };
        let outcome = change(&mut fresh);
        if let Some(cell) = least {
            if cell.until > now {
                self.forgotten.fetch_add(1, Ordering::Relaxed);
            }
            *cell = fresh;
        }
        outcome
    }

    fn place(&self, key: &impl Hash) -> (&Mutex<[Cell; WAYS]>, u64) {
        let hash = self.hasher.hash_one(key);
        let set = usize::try_from(hash % SETS as u64).unwrap_or(0);
        // An empty cell's tag is 0.
        (&self.sets[set], hash.max(1))
    }

    fn since_start(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.start))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
