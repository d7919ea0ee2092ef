//! Garbage collection, online: what nothing needs any more goes, in small units of work beside pushes and pulls.
//!
//! No collection walks the store; only the proof (`verify`) does. Deletes, moved tags and new blobs mark what they make
//! questionable; the collector takes marks older than the delay, asks the catalog again inside the unit of work that removes,
//! and frees bytes after the commit. A location is never used twice, so a push of the same digest at any moment is safe.

mod foresee;
mod free;
mod job;
mod report;
mod store;
mod sweep;
mod verify;

pub use job::CollectJob;
pub use report::CollectReport;
pub use store::Disagreement;
pub use verify::{Problem, VerifyReport};
