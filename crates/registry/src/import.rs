//! Import in place: the store of another registry (the docker-registry project's layout) becomes ours while it is served.
//!
//! It lies behind a symbolic link of this node, or in a bucket that the catalog names for all nodes. While it is there, blobs may lie
//! at locations in it (see `berth_blobs::Foreign`), and what a request does not find is looked for there first. A durable job takes
//! in one repository after the other, and at last, if asked, the bytes. The other store is only read.
//!
//! Once a repository is taken in as a whole it is never looked up there again, so that what is deleted here stays deleted: a deletion
//! takes the repository in first. A tag that is here wins over the one there.

mod demand;
mod finish;
mod intake;
mod job;
mod layout;
mod place;
mod pull;
mod record;
mod repository;
mod source;
mod start;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use berth_blobs::Elsewhere;
use berth_oci::RepositoryName;

pub use job::{ImportJob, ImportReport};
pub use pull::{PullJob, PullOrder, PullReport};
pub use source::{OldBucket, OpenOldBucket};
pub use start::{ImportError, OLD_LAYOUT, OldRegistry};

use layout::OldStore;
use source::Sources;

/// Who the events of an import name as their cause.
const CALLER: &str = "import";
/// Requests to the other store at a time, for one repository.
const REQUESTS: usize = 16;
/// Repositories that are taken in as a whole at a time.
const TURNS: usize = 16;

/// The other store, if there may be one.
#[derive(Debug, Default)]
pub(crate) struct Import {
    sources: Option<Sources>,
    /// Whoever takes in a whole repository, among those whose names share a turn.
    turns: [tokio::sync::Mutex<()>; TURNS],
}

impl Import {
    /// Looks for the other store where `elsewhere` says, and where the catalog says by `open`.
    pub(crate) fn from(elsewhere: Arc<Elsewhere>, open: OpenOldBucket) -> Self {
        Self { sources: Some(Sources::new(elsewhere, open)), ..Self::default() }
    }

    /// Returns the other store while it is there.
    ///
    /// # Errors
    /// [`crate::Error::Unavailable`] where it is there and this node can't open it.
    fn store(&self) -> crate::Result<Option<OldStore>> {
        self.sources.as_ref().map_or(Ok(None), Sources::store)
    }

    fn turn(&self, name: &RepositoryName) -> Option<&tokio::sync::Mutex<()>> {
        let mut hasher = DefaultHasher::new();
        name.as_str().hash(&mut hasher);
        self.turns.iter().cycle().nth(usize::try_from(hasher.finish() % TURNS as u64).unwrap_or(0))
    }
}
