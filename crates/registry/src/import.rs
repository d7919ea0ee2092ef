//! Import in place: the store of another registry (the docker-registry project's layout) becomes ours while it is served.
//!
//! A symbolic link names the other store. While it is there, blobs may lie at locations in it (see `berth_blobs::Foreign`), and
//! what a request does not find is looked for there first. A durable job takes in one repository after the other, and at last, if
//! asked, the bytes. The other store is only read.
//!
//! Once a repository is taken in as a whole it is never looked up there again, so that what is deleted here stays deleted: a deletion
//! takes the repository in first. A tag that is here wins over the one there.

mod demand;
mod finish;
mod job;
mod layout;
mod prepare;
mod pull;
mod record;
mod repository;
mod start;

use std::path::PathBuf;

pub use job::{ImportJob, ImportReport};
pub use pull::{PullJob, PullOrder, PullReport};
pub use start::ImportError;

use layout::OldStore;

/// Who the events of an import name as their cause.
const CALLER: &str = "import";

/// The other store, if there may be one.
#[derive(Debug, Default)]
pub(crate) struct Import {
    old: Option<OldStore>,
    /// Whoever takes in a whole repository, which it has in memory meanwhile.
    turn: tokio::sync::Mutex<()>,
}

impl Import {
    /// Looks for the other store behind this symbolic link, now and later.
    pub(crate) fn behind(link: PathBuf) -> Self {
        Self { old: Some(OldStore::new(link)), ..Self::default() }
    }

    /// Returns the other store while it is there.
    fn store(&self) -> Option<&OldStore> {
        self.old.as_ref().filter(|old| old.is_there())
    }
}
