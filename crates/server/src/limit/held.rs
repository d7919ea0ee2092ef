//! Requests that are held back: so many on this node, and none of its clients more than its part.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;

/// Most at once: they cost little, but not nothing.
const MOST: usize = 4_096;
/// A client may have this part of the places that are free. However many hold as many as they get, some are left for whoever comes next.
const PART: usize = 64;

/// Who is held back, and how often.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    taken: usize,
    /// By hashed client.
    clients: HashMap<u64, usize>,
}

/// One place, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    held: Arc<Held>,
    client: u64,
}

impl Held {
    /// Takes a place for a client; none if there is none for it.
    pub(super) fn take(self: &Arc<Self>, client: u64) -> Option<Place> {
        let places = &mut *self.0.lock();
        let free = MOST.checked_sub(places.taken).filter(|free| *free > 0)?;
        let own = places.clients.get(&client).copied().unwrap_or_default();
        if own >= (free / PART).max(1) {
            return None;
        }
        places.taken += 1;
        places.clients.insert(client, own + 1);
        Some(Place { held: Arc::clone(self), client })
    }

    /// Number of places taken.
    pub(super) fn count(&self) -> usize {
        self.0.lock().taken
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let places = &mut *self.held.0.lock();
        places.taken -= 1;
        if let Entry::Occupied(mut own) = places.clients.entry(self.client) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes all that some clients get.
    fn fill(held: &Arc<Held>, clients: std::ops::Range<u64>) -> Vec<Place> {
        let mut places = Vec::new();
        loop {
            let before = places.len();
            places.extend(clients.clone().filter_map(|client| held.take(client)));
            if places.len() == before {
                return places;
            }
        }
    }

    #[test]
    fn however_many_hold_all_they_get_the_next_gets_as_much() {
        let held = Arc::new(Held::default());
        let alone = fill(&held, 0..1);
        // What the default burst of uploads waits for fits in.
        assert!(alone.len() >= 50, "{}", alone.len());
        drop(alone);
        for clients in [10, 82, 500] {
            let theirs = fill(&held, 0..clients);
            let next = fill(&held, clients..clients + 1);
            let each = theirs.len() / usize::try_from(clients).unwrap();
            assert!(
                next.len() + 1 >= each && !next.is_empty(),
                "{clients}: {each} each, then {}",
                next.len()
            );
        }
        assert!(held.0.lock().clients.is_empty());
        assert_eq!(held.count(), 0);
    }

    #[test]
    fn there_are_no_more_than_there_are() {
        let held = Arc::new(Held::default());
        assert_eq!(fill(&held, 0..10_000).len(), MOST);
    }
}
