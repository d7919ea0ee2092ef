use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use berth_access::Caller;
use moka::sync::Cache;

/// Callers remembered.
const MOST: u64 = 100_000;

/// Who did something a moment ago, so that doing it on and on is recorded once.
#[derive(Debug)]
pub(super) struct Recently(Cache<u64, ()>);

impl Recently {
    pub(super) fn new(time: Duration) -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_live(time).build())
    }

    /// Tells whether this caller, proved in this way and from this place, was not here a moment ago.
    pub(super) fn is_new(&self, caller: &Caller) -> bool {
        let mut hasher = DefaultHasher::new();
        (caller.identity(), caller.proof()).hash(&mut hasher);
        caller.origin().map(|origin| (origin.client, &origin.agent)).hash(&mut hasher);
        self.0.entry(hasher.finish()).or_insert(()).is_fresh()
    }
}
