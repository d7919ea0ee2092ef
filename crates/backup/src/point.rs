//! What a point in time holds, as `backup.json` says it.

use berth_oci::Digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::trail::KeptTrail;

/// The layout of a point that this binary writes; it reads those before as well.
pub(crate) const FORMAT: u32 = 2;
/// The first layout that holds who may do what.
pub(crate) const WITH_ACCESS: u32 = 2;

/// Does something for each table of who may do what, those first that others name.
macro_rules! each_access_row {
    ($with:ident) => {
        $with! {
            Project Role Binding Account OldPassword AppPassword Robot RobotSecret SigningKey VaultKey Secret Subject
        }
    };
}
pub(crate) use each_access_row;

/// What a point holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summary {
    /// Layout of the point.
    pub format: u32,
    /// Version of the binary that made it.
    pub berth: String,
    /// The point in time.
    pub taken_at: Timestamp,
    /// Seconds that it took to make.
    pub seconds: f64,
    /// Its files.
    pub files: Vec<TableFile>,
    /// Blobs in all, those in rows included.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Files that were copied for this point, because no earlier one had them.
    pub copied: u64,
    /// Their bytes.
    pub copied_bytes: u64,
    /// Position of the last event.
    pub event_position: i64,
    /// Its hash in hex.
    pub event_hash: String,
    /// Blobs whose bytes could not be kept: they were damaged already.
    pub damaged: Vec<Problem>,
    /// The audit trail, unless there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trail: Option<Box<KeptTrail>>,
}

/// A file of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFile {
    /// Its name.
    pub name: String,
    /// Lines in it.
    pub rows: u64,
    /// Bytes in it.
    pub bytes: u64,
    /// Its SHA-256 in hex.
    pub sha256: String,
}

/// A blob or manifest that is not whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Which.
    pub digest: Digest,
    /// What is wrong.
    pub reason: String,
}
