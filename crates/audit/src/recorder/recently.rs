//! Remembers for a while who did something, so that going on with it is no new record.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::time::Duration;

use berth_access::Caller;
use moka::sync::Cache;

/// Callers remembered.
const MOST: u64 = 100_000;

/// Who did something a moment ago, so that doing it on and on is recorded once. Hashes are keyed, so that nobody finds one of another.
#[derive(Debug)]
pub(super) struct Recently {
    seen: Cache<u64, ()>,
    keys: RandomState,
}

impl Recently {
    pub(super) fn new(time: Duration) -> Self {
        let seen = Cache::builder().max_capacity(MOST).time_to_live(time).build();
        Self { seen, keys: RandomState::new() }
    }

    /// Tells whether this caller, proved in this way and from this place, was not here a moment ago.
    pub(super) fn is_new(&self, caller: &Caller) -> bool {
        let mut hasher = self.keys.build_hasher();
        (caller.identity(), caller.proof()).hash(&mut hasher);
        caller.origin().map(|origin| (origin.client, &origin.agent)).hash(&mut hasher);
        self.seen.entry(hasher.finish()).or_insert(()).is_fresh()
    }
}
