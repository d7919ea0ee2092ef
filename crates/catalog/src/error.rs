//! The one place where driver errors become the catalog's.

use rusqlite::ffi::ErrorCode;

/// Why the catalog could not do its work.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Another writer held the database longer than the busy timeout: try again.
    #[error("catalog is busy")]
    Busy,
    /// The database can't be reached; the cause is for the log.
    #[error("catalog cannot be reached: {0}")]
    Unavailable(String),
    /// The disk that holds the catalog is full.
    #[error("no space left for the catalog")]
    Full,
    /// The catalog was closed while the work waited.
    #[error("catalog is closed")]
    Closed,
    /// The body of a unit of work panicked; its changes were rolled back.
    #[error("unit of work panicked: {0}")]
    Panicked(String),
    /// A stored value is not what its column promises.
    #[error("catalog holds an invalid {what}: {value}")]
    Invalid {
        /// The column or noun.
        what: &'static str,
        /// The value found.
        value: String,
    },
    /// The database was written by a newer Berth.
    #[error("catalog has schema version {found}, this binary knows {known}: run the newer binary")]
    Newer {
        /// Version in the file.
        found: i64,
        /// Newest version known here.
        known: i64,
    },
    /// The database has an older schema, and is not this process's to change.
    #[error(
        "catalog has schema version {found}, this binary needs {known}: use the binary that serves it, or start `berth serve` \
         with this one, which brings it up to date"
    )]
    Older {
        /// Version in the file.
        found: i64,
        /// Version needed here.
        known: i64,
    },
    /// Any other failure of the database.
    #[error("catalog failed: {0}")]
    Database(String),
}

/// Result of catalog work.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            _ => Self::Database(error.to_string()),
        }
    }
}
