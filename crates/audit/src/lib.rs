//! The audit trail: who did what, when, from where, how that was proved and how it ended.
//!
//! What changes something is in the event log, in the transaction that changed it; the [`Follower`] copies it from there. Pulls, logins
//! and refusals come from the server, which hands a [`Note`] to the [`Recorder`] and goes on. Both end in one chain of hashes, which
//! [`Checkpoints`] sign from time to time and [`verify`] checks; [`Retention`] moves what is old enough to signed archives.

pub mod administer;
pub mod archive;
mod checkpoint;
mod config;
mod draft;
mod entry;
pub mod erase;
mod error;
mod flood;
mod follower;
mod keys;
mod names;
mod note;
pub mod outlet;
mod recorder;
mod retention;
mod reveal;
pub mod search;
mod spool;
mod statement;
pub mod verify;

pub use checkpoint::{Checkpoints, SignedCheckpoint};
pub use config::{Config, Retain};
pub use draft::CLAIMED;
pub use entry::{ERASE, of_event};
pub use error::{Error, Result};
pub use follower::Follower;
pub use keys::{PublicKey, SigningKeys};
pub use names::{named_detail, pseudonyms};
pub use note::{Action, Called, Note, Outcome, Who};
pub use recorder::{Recorder, Stats};
pub use retention::Retention;
pub use reveal::reveal;

/// Everything that keeps a trail, while a registry is served.
pub use audit::{Audit, Place};

mod audit;
