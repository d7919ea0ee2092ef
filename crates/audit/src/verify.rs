//! Looks for anything that was altered, removed, re-ordered or cut off, and says where.
//!
//! The chain alone tells of whoever changed a record. Whoever can write to the database can compute a whole new chain, too; against
//! that stand the checkpoints, whose key lies elsewhere or whose public half is pinned, and those that were handed out before. Each
//! signs the one before it. Records are not missed at the beginning if the same key signed where they went.

mod archived;
mod chain;
mod checkpoints;
mod damage;
mod erasures;
mod events;
mod hours;
mod personal;

use berth_access::Persons;
use berth_blobs::Shelf;
use berth_catalog::Catalog;
use berth_catalog::trail::{self, Hash, Trail, head};

use crate::checkpoint::SignedCheckpoint;
use crate::error::Result;
use crate::keys::PublicKey;

pub use damage::{Damage, Kind};
pub use personal::person_of;

use chain::Chain;

/// Records read at a time.
const BATCH: usize = 1000;

/// What to verify, and against what.
#[derive(Debug, Default)]
pub struct Request<'a> {
    /// Keys whose checkpoints count.
    pub keys: Vec<PublicKey>,
    /// Checkpoints that were handed out before.
    pub exported: Vec<SignedCheckpoint>,
    /// Who can open what is sealed, to compare the columns that show it in plain.
    pub persons: Option<&'a Persons>,
    /// The event log, to compare what was copied from it.
    pub catalog: Option<&'a Catalog>,
    /// Where the archives lie of what is not in the trail any more.
    pub archives: Option<&'a Shelf>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// Records read in the trail.
    pub records: u64,
    /// Records read in archives.
    pub archived: u64,
    /// Position of the first record in the trail.
    pub first: i64,
    /// Position of the last one.
    pub last: i64,
    /// Hash of the last one.
    pub hash: Option<Hash>,
    /// Checkpoints whose signature is right and that the chain agrees with.
    pub checkpoints: u64,
    /// Position of the last of these.
    pub signed_until: Option<i64>,
    /// Records whose sealed part was opened and compared.
    pub compared: u64,
    /// Records of persons who were erased.
    pub erased: u64,
    /// Records compared with the event log.
    pub events: u64,
    /// What is wrong, in order.
    pub damage: Vec<Damage>,
    /// What could not be checked, and why.
    pub unchecked: Vec<String>,
}

impl Report {
    /// Tells whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.damage.is_empty()
    }
}

/// Verifies a trail.
///
/// # Errors
/// It could not be read. What is wrong with it is in the report.
pub async fn verify(trail: &Trail, request: &Request<'_>) -> Result<Report> {
    loop {
        let before = trail.read(async |r| head::find(r).await).await?;
        let report = verify_once(trail, request).await?;
        let after = trail.read(async |r| head::find(r).await).await?;
        // What was archived meanwhile looks as if it were removed.
        if report.is_whole() || before.first == after.first {
            return Ok(report);
        }
    }
}

async fn verify_once(trail: &Trail, request: &Request<'_>) -> Result<Report> {
    let mut report = Report::default();
    let mut signed = checkpoints::Checkpoints::read(trail, request, &mut report).await?;
    let view = trail.snapshot(async |r| {
        Ok::<_, berth_catalog::Error>((head::find(r).await?, trail::Hours::read(r).await?))
    });
    let (head, hours) = view.await?;
    let mut chain = Chain::new(request, &mut report);
    archived::read(trail, request, &mut chain, &mut signed).await?;
    chain.enter_trail(&head, hours, request.archives.is_some());
    signed.begin_trail(&head);
    let mut position = head.first - 1;
    loop {
        let records = trail.read(async |r| trail::list(r, position, BATCH).await).await?;
        let mut records = records.as_slice();
        // What came since the head was read is for the next time.
        if let Some(end) = records.iter().position(|record| record.position > head.position) {
            records = &records[..end];
        }
        let Some(last) = records.last() else { break };
        position = last.position;
        for record in records {
            signed.see(record, chain.report());
            chain.see(record).await?;
        }
    }
    chain.end(&head).await?;
    signed.end(&head, &mut report);
    report.damage.sort_by_key(|damage| (damage.position == 0, damage.position));
    Ok(report)
}
