//! Takes notes of what happens and never waits for them to be written; counts repeats and losses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use berth_access::Caller;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::config::Config;
use crate::draft::Draft;
use crate::flood::Flood;
use crate::note::Note;

mod batches;
mod recently;

pub(crate) use batches::Batches;
use recently::Recently;

/// Records to a unit of work. As many are written at once, without waiting for more.
const BATCH: usize = 1000;
/// For how long a login of the same caller from the same place is the same login.
const LOGIN: Duration = Duration::from_mins(10);
/// For how long reading on is the same look at the trail: a page of figures asks again every few seconds.
const LOOK: Duration = Duration::from_mins(1);

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
    logins: Recently,
    looks: Recently,
    /// Records are about to be lost, or nobody writes them any more.
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
            logins: Recently::new(LOGIN),
            looks: Recently::new(LOOK),
            stuck: AtomicBool::new(false),
            counts: Counts::default(),
        }))
    }

    /// Takes a note. Never waits: what has no room is counted as lost, unless requests are refused before it comes to that. What those
    /// that were let in have done is kept, too; they are as many as may be at work at once.
    pub fn record(&self, note: Note) {
        let inner = &*self.0;
        let mut queue = inner.queue.lock();
        let place = queue.notes.len();
        if let Some(like) = queue.flood.more(&note, place) {
            if let Some((_, repeats)) = queue.notes.get_mut(like) {
                *repeats += 1;
            }
            inner.counts.repeats.fetch_add(1, Ordering::Relaxed);
        } else if place >= inner.capacity && !inner.strict {
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
        self.0.logins.is_new(caller)
    }

    /// Tells whether that a caller read the trail is to be recorded, and not reading on.
    pub fn is_look(&self, caller: &Caller) -> bool {
        self.0.looks.is_new(caller)
    }

    /// Tells whether pulls of blobs are recorded.
    pub fn records_blobs(&self) -> bool {
        self.0.blobs
    }

    /// Tells whether requests are to be refused, because what they do could not be recorded: nobody writes, or nothing more has room.
    pub fn refuses(&self) -> bool {
        let inner = &*self.0;
        inner.strict && (inner.stuck.load(Ordering::Relaxed) || self.waiting() >= inner.capacity as u64)
    }

    fn waiting(&self) -> u64 {
        self.0.counts.waiting.load(Ordering::Relaxed) + self.0.queue.lock().notes.len() as u64
    }

    /// Counts.
    pub fn stats(&self) -> Stats {
        let counts = &self.0.counts;
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Stats {
            written: get(&counts.written),
            repeats: get(&counts.repeats),
            dropped: get(&counts.dropped),
            waiting: self.waiting(),
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
