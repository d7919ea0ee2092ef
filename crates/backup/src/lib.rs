//! Backup and restore: points in time on which catalog and blobs agree, in a directory or a bucket, independent of database
//! and store; and moves.
//!
//! [`Archive`] is the place. [`take`] adds a point to it, [`restore`] makes an empty catalog and store hold what a point holds,
//! [`verify`] reads everything again, [`prune`] removes old points and the blobs that only they needed. [`Move`] brings a catalog and
//! its bytes into another database and another store while they are served. This room calls `catalog` and `blobs`; the binary calls it.

mod archive;
mod content;
mod erased;
mod error;
mod hold;
mod moving;
mod placed;
mod point;
mod prune;
mod restore;
mod table;
mod take;
mod trail;
mod verify;

pub use archive::{Archive, Found, State};
pub use error::{Error, Result};
pub use moving::{Move, Settled, Switched};
pub use placed::Placed;
pub use point::{Problem, Summary};
pub use prune::{Pruned, prune};
pub use restore::{Restored, restore};
pub use take::take;
pub use trail::{Audited, KeptTrail, TrailRestored, bring_trail, restore_trail};
pub use verify::{Verified, verify};

/// How far something is: `done` of `total` units of a phase; a total of 0 is not known.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// What is being done.
    pub phase: &'static str,
    /// Units done.
    pub done: u64,
    /// Units in all.
    pub total: u64,
}

/// Is told how far something is.
pub type Watch<'a> = &'a (dyn Fn(Step) + Sync);
