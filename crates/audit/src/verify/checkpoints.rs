//! What was signed of the chain, against what is there.

use std::collections::{BTreeMap, BTreeSet};

use berth_catalog::trail::checkpoint::{self, Checkpoint};
use berth_catalog::trail::{Hash, Head, Record, Trail};

use jiff::{SignedDuration, Timestamp};

use super::damage::{Damage, Kind};
use super::{Report, Request};
use crate::checkpoint::{is_signed, link};
use crate::error::Result;

/// Checkpoints read at a time.
const BATCH: usize = 1000;

/// After this a server has signed what there is, if it lived so long: it does at each start, and when that is due.
const SIGNED_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// Checkpoints whose signature is right, by position.
pub(super) struct Checkpoints {
    signed: BTreeMap<i64, Hash>,
    /// Whether the trail has any, and is to.
    are_missing: bool,
    now: Timestamp,
    /// Position of the last one that the chain agrees with.
    agreed: i64,
}

impl Checkpoints {
    /// Reads those of the trail and those that were handed out.
    pub(super) async fn read(trail: &Trail, request: &Request<'_>, report: &mut Report) -> Result<Self> {
        let mut signed = BTreeMap::new();
        for one in &request.exported {
            match one.checked(&request.keys) {
                Some(row) => drop(signed.insert(row.position, row.hash)),
                None => report.damage.push(Damage::new(
                    one.position,
                    Kind::Forged,
                    format!(
                        "the checkpoint given for it is not signed by a key that counts (key {})",
                        one.kid
                    ),
                )),
            }
        }
        let mut unseen: BTreeSet<i64> = signed.keys().copied().collect();
        let (mut position, mut previous) = (i64::MIN, Some(Hash::ZERO));
        let mut are_missing = !request.keys.is_empty();
        loop {
            let rows = trail.read(async |r| checkpoint::list(r, position, BATCH).await).await?;
            if request.keys.is_empty() {
                if !rows.is_empty() {
                    let what = "checkpoints: no key to verify them with; give the public one with --key";
                    report.unchecked.push(what.to_owned());
                }
                break;
            }
            if rows.is_empty() {
                break;
            }
            are_missing = false;
            for row in &rows {
                unseen.remove(&row.position);
                let is_signed = take(row, request, &mut signed, report);
                if is_signed && previous.is_some_and(|previous| previous != row.previous) {
                    report.damage.push(Damage::new(
                        row.position,
                        Kind::Removed,
                        format!(
                            "the checkpoint that its own goes on from is missing: one behind record {}",
                            position.max(0)
                        ),
                    ));
                }
                position = row.position;
                // One that was changed says nothing of what the next has to say.
                previous = is_signed.then(|| link(row));
            }
        }
        for position in unseen {
            let what = "the checkpoint of it that was handed out is not in the trail any more";
            report.damage.push(Damage::new(position, Kind::Removed, what));
        }
        Ok(Self { signed, are_missing, now: trail.clock().now(), agreed: 0 })
    }

    /// Looks whether a record that a checkpoint names is what was signed.
    pub(super) fn see(&mut self, record: &Record, report: &mut Report) {
        if self.are_missing && self.now.duration_since(record.entry.at) > SIGNED_WITHIN {
            self.are_missing = false;
            let what = "no checkpoint signs any record, though every start signs one: they were removed, or none was ever made";
            report.damage.push(Damage::new(record.position, Kind::Removed, what));
        }
        let Some(hash) = self.signed.remove(&record.position) else { return };
        if hash == record.hash {
            self.agreed = record.position;
            report.checkpoints += 1;
            report.signed_until = Some(record.position);
        } else {
            let from = self.agreed + 1;
            report.damage.push(Damage::new(
                record.position,
                Kind::Altered,
                format!("its hash is not the one that was signed: something from record {from} to here was rewritten"),
            ));
        }
    }

    /// Leaves those behind of what is archived: they were compared with the archives, if these were read.
    pub(super) fn begin_trail(&mut self, head: &Head) {
        self.agreed = self.agreed.max(head.first - 1);
        self.signed = self.signed.split_off(&head.first);
    }

    /// Looks whether something was signed that is not there any more.
    pub(super) fn end(self, head: &Head, report: &mut Report) {
        if let Some((last, _)) = self.signed.iter().next_back().filter(|(last, _)| **last > head.position) {
            report.damage.push(Damage::new(
                head.position + 1,
                Kind::Truncated,
                format!("a checkpoint signs record {last}, and the trail ends with record {}", head.position),
            ));
        }
    }
}

/// Returns whether it is signed.
fn take(
    row: &Checkpoint,
    request: &Request<'_>,
    signed: &mut BTreeMap<i64, Hash>,
    report: &mut Report,
) -> bool {
    if !is_signed(row, &request.keys) {
        report.damage.push(Damage::new(
            row.position,
            Kind::Forged,
            format!("its checkpoint is not signed by a key that counts (key {})", row.kid),
        ));
        return false;
    }
    // One that was handed out and is signed, too, says more than what lies beside the trail.
    let known = *signed.entry(row.position).or_insert(row.hash);
    if known != row.hash {
        report.damage.push(Damage::new(
            row.position,
            Kind::Forged,
            "two checkpoints of it say different hashes",
        ));
    }
    true
}
