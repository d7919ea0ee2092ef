//! The audit trail in a backup: stretches of the chain that all points share, as records never change, and for each point what was
//! signed.
//!
//! ```text
//! trail/<first>-<last>-<hash>.jsonl.gz    records, one a line; the name says where they lie in which chain
//! trail/archive/<sha256>                  what left the trail before, file by file
//! points/…/trail.json                     checkpoints, and statements of what was archived
//! ```
//!
//! What is personal is in there only as it was sealed, so a backup forgets with the key.

mod moving;
mod restore;
mod stretch;
mod take;
mod verify;

use berth_blobs::Shelf;
use berth_catalog::Reader;
use berth_catalog::trail::archived::{self, Archived};
use berth_catalog::trail::checkpoint::{self, Checkpoint};
use berth_catalog::trail::{Hash, Head, Trail};
use serde::{Deserialize, Serialize};

pub use moving::bring_trail;
pub(crate) use moving::forget;
pub use restore::{TrailRestored, restore_trail};
pub(crate) use take::take;
pub(crate) use verify::Verifier;

/// Where the trail's files lie.
pub(crate) const TRAIL: &str = "trail";
/// Rows read at a time.
const PAGE: usize = 1000;

/// An audit trail, and where its archives lie, if anywhere.
#[derive(Debug, Clone, Copy)]
pub struct Audited<'a> {
    /// The trail.
    pub trail: &'a Trail,
    /// What is too old for it.
    pub archives: Option<&'a Shelf>,
}

/// What a point holds of the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptTrail {
    /// Position of the first record.
    pub first: i64,
    /// Hash of the one before.
    pub before: Hash,
    /// Position of the last one.
    pub last: i64,
    /// Its hash.
    pub hash: Hash,
    /// How far the event log had been copied.
    pub event: i64,
    /// Names of the files that hold the records, in order; they may overlap.
    pub stretches: Vec<String>,
    /// SHA-256 of the archives of earlier records.
    pub archives: Vec<Hash>,
    /// SHA-256 of the file of what was signed.
    pub signed_sha256: Hash,
    /// What could not be kept.
    pub problems: Vec<String>,
}

/// What was signed of a trail.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Signed {
    pub(crate) checkpoints: Vec<Checkpoint>,
    pub(crate) archived: Vec<Archived>,
}

impl Signed {
    /// Reads what was signed behind these positions.
    pub(crate) async fn read(r: &Reader, checkpoint: i64, statement: i64) -> berth_catalog::Result<Self> {
        let (mut signed, mut position) = (Self::default(), checkpoint);
        loop {
            let page = checkpoint::list(r, position, PAGE).await?;
            let Some(last) = page.last() else { break };
            position = last.position;
            signed.checkpoints.extend(page);
        }
        position = statement;
        loop {
            let page = archived::list(r, position, PAGE).await?;
            let Some(last) = page.last() else { return Ok(signed) };
            position = last.last;
            signed.archived.extend(page);
        }
    }

    /// Returns the name of the file in a point's folder.
    pub(crate) fn name(folder: &str) -> String {
        format!("{folder}/trail.json")
    }
}

impl KeptTrail {
    fn head(&self) -> Head {
        let Self { first, before, last, hash, event, .. } = *self;
        Head { position: last, hash, event, first, before }
    }

    /// Lists the names of the files that it needs.
    pub(crate) fn files(&self) -> impl Iterator<Item = String> {
        let stretches = self.stretches.iter().map(|name| stretch::path(name));
        stretches.chain(self.archives.iter().map(archive_path)).collect::<Vec<_>>().into_iter()
    }
}

/// Returns where an archive lies in a backup.
fn archive_path(sha256: &Hash) -> String {
    format!("{TRAIL}/archive/{sha256}")
}
