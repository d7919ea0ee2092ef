//! Many like one: what somebody repeats within a moment is counted instead of recorded each time, so that hammering a registry does
//! not fill its trail.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::note::{Note, Outcome, Who};

/// Records of one kind between two batches; more are counted with the last of them.
pub(crate) const EACH: usize = 16;

/// What came since the last batch, by what makes notes alike.
#[derive(Debug, Default)]
pub(crate) struct Flood(HashMap<u64, Seen>);

#[derive(Debug, Default)]
struct Seen {
    count: usize,
    /// Where the last one lies that was recorded.
    last: usize,
}

impl Flood {
    /// Notes one more. Returns where the one lies that it is counted with, if it is one too many.
    pub(crate) fn more(&mut self, note: &Note, place: usize) -> Option<usize> {
        let seen = self.0.entry(likeness(note)).or_default();
        seen.count += 1;
        if seen.count > EACH {
            return Some(seen.last);
        }
        seen.last = place;
        None
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// What was done is alike if who, what and where from are the same. What was refused, already if the address is: otherwise a new name
/// each time would make each a new one.
fn likeness(note: &Note) -> u64 {
    let mut hasher = DefaultHasher::new();
    (note.action, note.outcome, note.origin.client).hash(&mut hasher);
    note.who.identity().hash(&mut hasher);
    if note.outcome == Outcome::Success {
        note.repository.as_ref().map(berth_oci::RepositoryName::as_str).hash(&mut hasher);
        (&note.tag, &note.digest, &note.origin.agent).hash(&mut hasher);
    } else if let Who::Caller(_) = &note.who {
        note.repository.as_ref().map(berth_oci::RepositoryName::as_str).hash(&mut hasher);
    }
    hasher.finish()
}
