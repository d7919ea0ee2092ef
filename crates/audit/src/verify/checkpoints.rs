//! What was signed of the chain, against what is there.

use std::collections::BTreeMap;

use berth_catalog::trail::checkpoint::{self, Checkpoint};
use berth_catalog::trail::{Hash, Head, Record, Trail};

use super::damage::{Damage, Kind};
use super::{Report, Request};
use crate::checkpoint::is_signed;
use crate::error::Result;

/// Checkpoints read at a time.
const BATCH: usize = 1000;

/// Checkpoints whose signature is right, by position.
pub(super) struct Checkpoints {
    signed: BTreeMap<i64, Hash>,
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
        let mut position = i64::MIN;
        loop {
            let rows = trail.read(async |r| checkpoint::list(r, position, BATCH).await).await?;
            let Some(last) = rows.last() else { break };
            position = last.position;
            if request.keys.is_empty() {
                report.unchecked.push(
                    "checkpoints: no key to verify them with; give the public one with --key".to_owned(),
                );
                break;
            }
            for row in &rows {
                take(row, request, &mut signed, report);
            }
        }
        Ok(Self { signed, agreed: 0 })
    }

    /// Looks whether a record that a checkpoint names is what was signed.
    pub(super) fn see(&mut self, record: &Record, report: &mut Report) {
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

    /// Looks whether what the trail begins behind was signed, as archiving does.
    pub(super) fn begin_trail(&mut self, head: &Head, request: &Request<'_>, report: &mut Report) {
        let last = head.first - 1;
        if last > 0 && !request.keys.is_empty() && request.archives.is_none() {
            match self.signed.get(&last) {
                Some(hash) if *hash == head.before => {
                    report.checkpoints += 1;
                    self.agreed = last;
                    report.signed_until = Some(last);
                }
                Some(_) => report.damage.push(Damage::new(
                    last,
                    Kind::Altered,
                    "the hash that the trail goes on from is not the one that was signed",
                )),
                None => report.damage.push(Damage::new(
                    last,
                    Kind::Removed,
                    format!("records 1 to {last} are gone, and nobody signed that they were archived"),
                )),
            }
        }
        // Those of what is archived were compared with the archives, if these were read.
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

fn take(row: &Checkpoint, request: &Request<'_>, signed: &mut BTreeMap<i64, Hash>, report: &mut Report) {
    if !is_signed(row, &request.keys) {
        report.damage.push(Damage::new(
            row.position,
            Kind::Forged,
            format!("its checkpoint is not signed by a key that counts (key {})", row.kid),
        ));
        return;
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
}
