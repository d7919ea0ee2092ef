//! The chain itself: each record's hash over the one before.

use berth_catalog::trail::{Hash, Head, Hours, Record};

use super::damage::{Damage, Kind};
use super::erasures::Erasures;
use super::events::Events;
use super::hours::Counts;
use super::personal::Sealed;
use super::{Report, Request};
use crate::error::Result;

/// Records that don't fit and are looked at together, to find out which were exchanged.
const EXCHANGED: usize = 64;
/// What is wrong is listed up to this many.
pub(super) const LISTED: usize = 1000;

/// Follows the chain from record to record.
pub(super) struct Chain<'r> {
    report: &'r mut Report,
    sealed: Sealed<'r>,
    events: Events<'r>,
    erasures: Erasures<'r>,
    counts: Counts,
    /// Records are missing, or are not what they were.
    is_broken: bool,
    /// Where the last record was.
    position: i64,
    /// Its hash; none behind a gap.
    hash: Option<Hash>,
    wrong: Vec<Wrong>,
}

/// A record whose hash is not what it has to be there.
struct Wrong {
    record: Record,
    previous: Hash,
}

impl<'r> Chain<'r> {
    pub(super) fn new(request: &Request<'r>, report: &'r mut Report) -> Self {
        Self {
            sealed: Sealed::new(request.persons),
            events: Events::new(request.catalog),
            erasures: Erasures::new(request.catalog),
            counts: Counts::default(),
            is_broken: false,
            report,
            position: 0,
            hash: Some(Hash::ZERO),
            wrong: Vec::new(),
        }
    }

    pub(super) fn report(&mut self) -> &mut Report {
        self.report
    }

    /// Returns where the last record was, and its hash.
    pub(super) fn position(&self) -> (i64, Option<Hash>) {
        (self.position, self.hash)
    }

    /// Goes on behind records that are archived and were not looked at: nothing but what was signed says where.
    pub(super) fn skip(&mut self, position: i64, hash: Hash) {
        (self.position, self.hash) = (position, Some(hash));
        self.events.skip();
    }

    /// Says that records are gone for which nobody signed.
    pub(super) fn unsaid(&mut self, from: i64, to: i64) {
        let which = if from == to { "it is".to_owned() } else { format!("records {from} to {to} are") };
        self.damage(from, Kind::Removed, format!("{which} gone, and nobody signed that they were archived"));
    }

    /// Goes on with the trail, behind what was archived.
    pub(super) fn enter_trail(&mut self, head: &Head, hours: Hours, are_archives_read: bool) {
        self.counts = Counts::new(hours);
        self.report.first = head.first;
        let last = head.first - 1;
        if self.position < last {
            self.unsaid(self.position + 1, last);
        } else if self.position > last {
            self.damage(
                head.first,
                Kind::Altered,
                format!("the trail begins here, and what was archived ends with record {}", self.position),
            );
        } else if self.hash.is_some_and(|hash| hash != head.before) {
            let what = if last == 0 {
                "the hash that the trail begins from is not the first of all"
            } else {
                "the hash that the trail goes on from is not that of the last archived record"
            };
            self.damage(head.first, Kind::Altered, what);
        }
        if last > 0 && !are_archives_read {
            self.erasures.miss_archives();
            self.report.unchecked.push(format!(
                "records 1 to {last} are archived: name their directory with --archive to verify them, too"
            ));
        }
        if (self.position, self.hash) != (last, Some(head.before)) {
            self.skip(last, head.before);
        }
    }

    /// Looks at the next record of the trail.
    pub(super) async fn see(&mut self, record: &Record) -> Result<()> {
        self.counts.see(record);
        self.sealed.compare(record, self.report).await?;
        self.follow(record).await
    }

    /// Looks at the next record of an archive, where nothing shows what is sealed.
    pub(super) async fn see_archived(&mut self, record: &Record) -> Result<()> {
        self.sealed.see_archived(record, self.report).await?;
        self.follow(record).await
    }

    async fn follow(&mut self, record: &Record) -> Result<()> {
        let expected = self.position + 1;
        if record.position > expected {
            let end = record.position - 1;
            let which =
                if end == expected { "it is".to_owned() } else { format!("records {expected} to {end} are") };
            self.damage(expected, Kind::Removed, format!("{which} missing"));
            self.hash = None;
        }
        match self.hash {
            Some(previous) if record.hash_behind(&previous) != record.hash => {
                self.wrong.push(Wrong { record: record.clone(), previous });
                if self.wrong.len() > LISTED {
                    self.settle();
                }
            }
            _ => {}
        }
        (self.position, self.hash) = (record.position, Some(record.hash));
        self.erasures.see(record);
        self.events.compare(record, self.report).await
    }

    /// Compares the last record with the head.
    pub(super) async fn end(mut self, head: &Head) -> Result<()> {
        self.settle();
        self.report.last = self.position;
        self.report.hash = self.hash.filter(|_| self.position > 0);
        self.report.records = u64::try_from(self.position - head.first + 1).unwrap_or(0);
        if self.position < head.position {
            let (from, to) = (self.position + 1, head.position);
            self.damage(from, Kind::Truncated, format!("records {from} to {to} are missing at the end"));
        } else if self.hash != Some(head.hash) {
            self.damage(
                head.position,
                Kind::Altered,
                "its hash is not the one that the trail's head says it has: one of them was changed",
            );
        }
        self.counts.end(self.is_broken, self.report);
        self.erasures.end(self.report).await?;
        self.events.end(head, self.report).await
    }

    /// Says what happened to the records that don't fit.
    fn settle(&mut self) {
        let wrong = std::mem::take(&mut self.wrong);
        for one in &wrong {
            let position = one.record.position;
            match explain(one, &wrong) {
                Found::Elsewhere(place) => {
                    self.damage(position, Kind::Reordered, format!("what is here was written as record {place}"));
                }
                // What is wrong is the record before, which is listed.
                Found::Here => {}
                Found::Nowhere => self.damage(
                    position,
                    Kind::Altered,
                    "its hash does not fit what it says behind the record before: this record was altered, or that one, with its hash",
                ),
            }
        }
    }

    fn damage(&mut self, position: i64, kind: Kind, what: impl Into<String>) {
        self.is_broken = true;
        if self.report.damage.len() < LISTED {
            self.report.damage.push(Damage::new(position, kind, what));
        }
    }
}

/// Where a record's own hash says that it was written.
enum Found {
    /// Here, behind another record than the one that is before it now.
    Here,
    Elsewhere(i64),
    /// At no place that is known of.
    Nowhere,
}

fn explain(one: &Wrong, wrong: &[Wrong]) -> Found {
    let Record { position, entry, hash } = &one.record;
    let fits = |place: i64, previous: &Hash| entry.hash(place, previous) == *hash;
    // All behind it were moved up, or down.
    for place in [position + 1, position - 1] {
        if fits(place, &one.previous) {
            return Found::Elsewhere(place);
        }
    }
    if wrong.len() > EXCHANGED {
        return Found::Nowhere;
    }
    let hashes = || wrong.iter().flat_map(|other| [other.record.hash, other.previous]);
    if hashes().any(|previous| fits(*position, &previous)) {
        return Found::Here;
    }
    let mut places = wrong.iter().map(|other| other.record.position).filter(|place| place != position);
    places
        .find(|place| hashes().any(|previous| fits(*place, &previous)))
        .map_or(Found::Nowhere, Found::Elsewhere)
}
