use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use berth_access::Caller;
use moka::sync::Cache;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::config::Config;
use crate::draft::Draft;
use crate::flood::Flood;
use crate::note::Note;

mod batches;

pub(crate) use batches::Batches;

/// Records to a unit of work. As many are written at once, without waiting for more.
const BATCH: usize = 1000;
/// For how long a login of the same caller from the same place is the same login.
const LOGIN: Duration = Duration::from_mins(10);
/// Logins remembered.
const LOGINS: u64 = 100_000;

/// Takes notes of what happens and goes on at once; [`Audit::run`](crate::Audit::run) writes them down. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: Mutex<Queue>,
    /// There is a whole batch.
    full: Notify,
    capacity: usize,
    blobs: bool,
    strict: bool,
    logins: Cache<u64, ()>,
    /// Records are about to be lost.
    stuck: AtomicBool,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Queue {
    /// Each with how many like it were left out.
    notes: Vec<(Note, u64)>,
    flood: Flood,
}

#[derive(Debug, Default)]
struct Counts {
    written: AtomicU64,
    repeats: AtomicU64,
    dropped: AtomicU64,
    waiting: AtomicU64,
    spooled_bytes: AtomicU64,
}

/// How recording has gone since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Records written, without those that were copied from the event log.
    pub written: u64,
    /// What was counted with a record like it.
    pub repeats: u64,
    /// Records lost.
    pub dropped: u64,
    /// Records in memory that are not written yet.
    pub waiting: u64,
    /// Bytes of records on disk that are not in the trail yet.
    pub spooled_bytes: u64,
}

impl Recorder {
    /// Prepares to take notes.
    pub fn new(config: &Config) -> Self {
        Self(Arc::new(Inner {
            queue: Mutex::default(),
            full: Notify::new(),
            capacity: config.queue.max(BATCH),
            blobs: config.blobs,
            strict: config.strict,
            logins: Cache::builder().max_capacity(LOGINS).time_to_live(LOGIN).build(),
            stuck: AtomicBool::new(false),
            counts: Counts::default(),
        }))
    }

    /// Takes a note. Never waits: what has no room is counted as lost.
    pub fn record(&self, note: Note) {
        let inner = &*self.0;
        let mut queue = inner.queue.lock();
        let place = queue.notes.len();
        if let Some(like) = queue.flood.more(&note, place) {
            if let Some((_, repeats)) = queue.notes.get_mut(like) {
                *repeats += 1;
            }
            inner.counts.repeats.fetch_add(1, Ordering::Relaxed);
        } else if place >= inner.capacity {
            inner.counts.dropped.fetch_add(1, Ordering::Relaxed);
        } else {
            queue.notes.push((note, 0));
            if place + 1 == BATCH {
                inner.full.notify_one();
            }
        }
    }

    /// Tells whether a caller's right credentials are a login to be recorded, and not one that was recorded a moment ago.
    pub fn is_login(&self, caller: &Caller) -> bool {
        // What comes with a token of ours was a login when the token was asked for.
        if caller.is_anonymous() || caller.scope().is_some() {
            return false;
        }
        let mut hasher = DefaultHasher::new();
        (caller.identity(), caller.proof()).hash(&mut hasher);
        caller.origin().map(|origin| (origin.client, &origin.agent)).hash(&mut hasher);
        let key = hasher.finish();
        let known = self.0.logins.contains_key(&key);
        if !known {
            self.0.logins.insert(key, ());
        }
        !known
    }

    /// Tells whether pulls of blobs are recorded.
    pub fn records_blobs(&self) -> bool {
        self.0.blobs
    }

    /// Tells whether requests are to be refused, because what they do could not be recorded.
    pub fn refuses(&self) -> bool {
        self.0.strict && self.0.stuck.load(Ordering::Relaxed)
    }

    /// Counts.
    pub fn stats(&self) -> Stats {
        let counts = &self.0.counts;
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Stats {
            written: get(&counts.written),
            repeats: get(&counts.repeats),
            dropped: get(&counts.dropped),
            waiting: get(&counts.waiting) + self.0.queue.lock().notes.len() as u64,
            spooled_bytes: get(&counts.spooled_bytes),
        }
    }

    fn take(&self) -> Vec<Draft> {
        let notes = {
            let mut queue = self.0.queue.lock();
            queue.flood.clear();
            std::mem::take(&mut queue.notes)
        };
        notes.into_iter().map(|(note, repeats)| Draft::new(note, repeats)).collect()
    }
}
