//! Many like one: what somebody repeats within a moment is counted instead of recorded each time, so that hammering a registry does
//! not fill its trail.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};

use crate::note::{Note, Outcome, Who};

/// Records of one kind between two batches; more are counted with the last of them.
pub(crate) const EACH: usize = 16;

/// What came since the last batch, by what makes notes alike. The hash of that is keyed with what nobody outside knows, so nobody finds
/// two that differ and have the same.
#[derive(Debug, Default)]
pub(crate) struct Flood {
    seen: HashMap<u64, Seen>,
    keys: RandomState,
}

#[derive(Debug, Default)]
struct Seen {
    count: usize,
    /// Where the last one lies that was recorded.
    last: usize,
}

impl Flood {
    /// Notes one more. Returns where the one lies that it is counted with, if it is one too many.
    pub(crate) fn more(&mut self, note: &Note, place: usize) -> Option<usize> {
        let seen = self.seen.entry(self.likeness(note)).or_default();
        seen.count += 1;
        if seen.count > EACH {
            return Some(seen.last);
        }
        seen.last = place;
        None
    }

    pub(crate) fn clear(&mut self) {
        self.seen.clear();
    }

    /// What was done is alike if who, what and where from are the same. What was refused, already if the address is: otherwise a new
    /// name each time would make each a new one.
    fn likeness(&self, note: &Note) -> u64 {
        let mut hasher = self.keys.build_hasher();
        (note.action, note.outcome, note.origin.client).hash(&mut hasher);
        note.who.identity().hash(&mut hasher);
        if note.outcome == Outcome::Success {
            note.repository.as_ref().map(berth_oci::RepositoryName::as_str).hash(&mut hasher);
            (&note.tag, &note.digest, &note.origin.agent).hash(&mut hasher);
        } else if let Who::Caller(_) = &note.who {
            note.repository.as_ref().map(berth_oci::RepositoryName::as_str).hash(&mut hasher);
            note.called.hash(&mut hasher);
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use berth_access::{Caller, Origin};
    use jiff::Timestamp;

    use super::*;
    use crate::note::Action;

    /// Whoever computes it beforehand finds other notes that count as this one's repeats.
    #[test]
    fn what_makes_notes_alike_can_not_be_computed_elsewhere() {
        let note = Note {
            at: Timestamp::UNIX_EPOCH,
            action: Action::Pull,
            outcome: Outcome::Success,
            who: Who::Caller(Caller::user("alice")),
            origin: Arc::new(Origin::new([192, 0, 2, 7].into(), Some("docker/28.3"), "1")),
            repository: None,
            tag: Some("v1".to_owned()),
            digest: None,
            status: Some(200),
            reason: None,
            part: None,
            called: None,
        };
        let (one, other) = (Flood::default(), Flood::default());
        assert_eq!(one.likeness(&note), one.likeness(&note));
        assert_ne!(one.likeness(&note), other.likeness(&note));
    }
}
