//! Those who wait for a place: few, shortly, and woken in the order of what they want.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::class::{Class, Rank};
use super::clients::{Client, Shares};
use super::pool::{Bound, bounds};
use crate::config::Overload as Config;

/// Those who wait.
#[derive(Debug)]
pub(super) struct Queue {
    all: AtomicUsize,
    by_class: [AtomicU64; Class::ALL.len()],
    by_client: Shares,
    bounds: Option<[Bound; Rank::ALL.len()]>,
    wake: [Notify; Rank::ALL.len()],
}

/// One who waits; no longer when dropped.
#[derive(Debug)]
pub(super) struct Waiting<'q> {
    queue: &'q Queue,
    class: Class,
    client: Client,
}

impl Queue {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            all: AtomicUsize::new(0),
            by_class: Default::default(),
            by_client: Shares::new(),
            bounds: (config.queue > 0).then(|| bounds(config.queue, config)),
            wake: Default::default(),
        }
    }

    /// Lets a request wait, unless enough do already.
    pub(super) fn join(&self, class: Class, client: Client) -> Option<Waiting<'_>> {
        let bound = self.bounds?[class.rank() as usize];
        if !self.by_client.take(client, bound.client) {
            return None;
        }
        if self.all.fetch_add(1, Ordering::Relaxed) >= bound.all {
            self.all.fetch_sub(1, Ordering::Relaxed);
            self.by_client.give_back(client);
            return None;
        }
        self.by_class[class as usize].fetch_add(1, Ordering::Relaxed);
        Some(Waiting { queue: self, class, client })
    }

    /// Wakes one of those whose request is the most urgent. Costs one look while nobody waits.
    pub(super) fn wake(&self) {
        if self.all.load(Ordering::Relaxed) == 0 {
            return;
        }
        let waiting = Class::ALL.into_iter().filter(|class| self.count(*class) > 0);
        if let Some(urgent) = waiting.map(|class| class.rank() as usize).min() {
            self.wake[urgent].notify_one();
        }
    }

    /// Returns how many of a class wait.
    pub(super) fn count(&self, class: Class) -> u64 {
        self.by_class[class as usize].load(Ordering::Relaxed)
    }
}

impl Waiting<'_> {
    /// Resolves when a place was given up.
    pub(super) async fn woken(&self, rank: Rank) {
        self.queue.wake[rank as usize].notified().await;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let queue = self.queue;
        queue.by_class[self.class as usize].fetch_sub(1, Ordering::Relaxed);
        queue.all.fetch_sub(1, Ordering::Relaxed);
        queue.by_client.give_back(self.client);
    }
}
