//! Why a backup could not be made, read or restored.

use std::io;
use std::path::Path;

/// Why a backup could not be made, read or restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] berth_catalog::Error),
    /// The blob store failed.
    #[error(transparent)]
    Blobs(#[from] berth_blobs::Error),
    /// A file beside the backup failed, and what was being done.
    #[error("{1}: {0}")]
    Io(io::Error, String),
    /// Another command is at work there.
    #[error("another command works on backup {0}: wait for it to end")]
    Locked(String),
    /// The place didn't answer for so long that another command may have begun to change what lies there.
    #[error(
        "the lease on backup {0} could not be renewed in time, so another command may be at work there: run this one again, it goes on where it stopped"
    )]
    LockLost(String),
    /// A registry keeps its blobs there.
    #[error("{0} holds the blobs of a registry: name another place for the backup")]
    Store(String),
    /// No point fits what was asked for.
    #[error("{0}")]
    NoPoint(String),
    /// A file of a point is not what `backup.json` says.
    #[error("{file} is damaged ({reason}): use another point")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Collection could begin while the bytes were copied.
    #[error(
        "a server that started let collection begin while blobs were copied, several times in a row: run the backup again"
    )]
    HoldLost,
    /// A point can't be restored into a catalog that holds something else.
    #[error(
        "the catalog holds something that is not of point {0}: restore into an empty one, or go on with the point that was begun"
    )]
    NotEmpty(String),
    /// Blobs that the catalog knows to be whole could not be copied.
    #[error(
        "{0}: their bytes could not be copied and nobody knew that they are damaged: run `berth scrub` on the old side, push \
         again what it finds, then go on with the migration; what stays damaged does not hold it up once that is known"
    )]
    Lost(String),
    /// The audit trail could not be kept or brought back.
    #[error("audit trail: {0}")]
    Trail(String),
    /// Changes went on although pushes were to rest.
    #[error(
        "the registry was still written to {0} s after pushes were to rest: stop what writes beside its server, then try again"
    )]
    Restless(u64),
}

/// Result of this room's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Says what was being done to a path.
pub(crate) trait At<T> {
    /// Maps the error of something that was done to `path`.
    fn at(self, what: &str, path: &Path) -> Result<T>;
}

impl<T, E: Into<io::Error>> At<T> for std::result::Result<T, E> {
    fn at(self, what: &str, path: &Path) -> Result<T> {
        self.map_err(|error| Error::Io(error.into(), format!("cannot {what} {}", path.display())))
    }
}
