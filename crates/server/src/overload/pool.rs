//! A bounded number of places, of which each rank may fill its share and each client a share of that.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::class::Rank;
use super::clients::{Client, Shares};
use crate::config::Overload as Config;

/// Places.
#[derive(Debug)]
pub(super) struct Pool {
    used: AtomicUsize,
    by_client: Shares,
    bounds: [Bound; Rank::ALL.len()],
}

/// How far one rank may fill the places, and one client of that rank.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    pub(super) all: usize,
    pub(super) client: usize,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    ForAll,
    ForThisClient,
}

impl Pool {
    pub(super) fn new(places: usize, config: &Config) -> Self {
        Self { used: AtomicUsize::new(0), by_client: Shares::new(), bounds: bounds(places, config) }
    }

    /// Takes a place. Two that come to the last one together may both go without; they look again.
    pub(super) fn enter(&self, rank: Rank, client: Client) -> Result<(), Full> {
        let bound = self.bounds[rank as usize];
        if !self.by_client.take(client, bound.client) {
            // Where there is none for anybody, that is the reason.
            return Err(if self.has_room(rank) { Full::ForThisClient } else { Full::ForAll });
        }
        if self.used.fetch_add(1, Ordering::Relaxed) < bound.all {
            return Ok(());
        }
        self.leave(client);
        Err(Full::ForAll)
    }

    pub(super) fn leave(&self, client: Client) {
        self.used.fetch_sub(1, Ordering::Relaxed);
        self.by_client.give_back(client);
    }

    /// Whether one of this rank would find a place, its client aside.
    pub(super) fn has_room(&self, rank: Rank) -> bool {
        self.used.load(Ordering::Relaxed) < self.bounds[rank as usize].all
    }
}

/// Pulls may fill every place, the others their share; one client its share of either, at least one place.
pub(super) fn bounds(places: usize, config: &Config) -> [Bound; Rank::ALL.len()] {
    let share = |of: usize, percent: u8| (of.saturating_mul(usize::from(percent)) / 100).max(1);
    Rank::ALL.map(|rank| {
        let all = match rank {
            Rank::Pull => places,
            Rank::Push => share(places, config.push_percent),
            Rank::List => share(places, config.list_percent),
        };
        Bound { all, client: share(all, config.client_percent) }
    })
}
