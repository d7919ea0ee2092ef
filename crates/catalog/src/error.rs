//! The one place where driver errors become the catalog's.

use rusqlite::ffi::ErrorCode;
use tokio_postgres::error::SqlState;

/// Why the catalog could not do its work.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Others held what the work needed for longer than the catalog waits: try again.
    #[error("catalog is busy")]
    Busy,
    /// The database can't be reached, or turns everybody away: try again.
    #[error("catalog's database is unavailable: {0}")]
    Unavailable(String),
    /// The database takes no more connections, or has no memory for what was asked: try again.
    #[error("catalog's database is overloaded: {0}")]
    Crowded(String),
    /// The connection went while a commit was on its way: the work is done or not, try again.
    #[error("the database's connection was lost during the commit; it may have happened: try again")]
    Unknown,
    /// The settings of the database's connection make no sense.
    #[error("database settings: {0}")]
    Config(String),
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
    /// The catalog has moved to another database.
    #[error("{}", crate::moving::trigger::MOVED)]
    Moved,
    /// The catalog is moving, and what was asked for would be cut off by the switch.
    #[error(
        "the registry is moving to {0}: do this there when it has moved, or end that with `berth migrate cancel` first"
    )]
    Leaving(String),
    /// Another command works the move by now.
    #[error("another `berth migrate` has taken this migration over, or ended it")]
    TakenOver,
    /// The database that a catalog is to move to is not free for it.
    #[error("{0}")]
    NotFree(String),
    /// After the move of its rows, a table is not the same on both sides.
    #[error(
        "table {table} is not the same on both sides ({here} rows here, {there} there): run `berth migrate cancel`, then begin anew"
    )]
    Differs {
        /// Which.
        table: &'static str,
        /// Rows in the source.
        here: u64,
        /// Rows in the target.
        there: u64,
    },
    /// A record of the audit trail must stay.
    #[error("record {position} of the audit trail is younger than {days} days, and nobody may delete it")]
    TooYoung {
        /// Which.
        position: i64,
        /// How old it must be.
        days: u32,
    },
    /// A search took longer than it may.
    #[error("the search took too long and was ended")]
    TooSlow,
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
            Some(ErrorCode::OperationInterrupted) => Self::TooSlow,
            _ if error.to_string().contains(crate::moving::trigger::MOVED) => Self::Moved,
            _ => Self::Database(error.to_string()),
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Failure::from(error).error
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// What to do about a failure of a network database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Two units of work met: run this one again.
    Again,
    /// A row was there, or was not, against what the unit had read: mostly another unit's doing, so run it again a few times.
    AgainFew,
    /// The connection is of no use any more: run it again on another.
    Reconnect,
    /// Nothing: tell the caller.
    None,
}

/// A failure of a network database.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) remedy: Remedy,
}

impl Failure {
    /// A failure that another try won't change.
    pub(crate) fn last(error: Error) -> Self {
        Self { error, remedy: Remedy::None }
    }

    /// No answer within the time that the catalog waits.
    pub(crate) fn silent() -> Self {
        Self { error: Error::Unavailable("it does not answer".into()), remedy: Remedy::Reconnect }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(refusal) = error.as_db_error() else {
            let cause = std::error::Error::source(&error);
            let lost = error.is_closed() || cause.is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
            let text = cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
            return if lost {
                Self { error: Error::Unavailable(text), remedy: Remedy::Reconnect }
            } else {
                Self::last(Error::Database(text))
            };
        };
        let code = refusal.code();
        let text = || format!("{} (SQLSTATE {})", refusal.message(), code.code());
        let (error, remedy) = match code {
            &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED => {
                (Error::Busy, Remedy::Again)
            }
            &SqlState::UNIQUE_VIOLATION | &SqlState::FOREIGN_KEY_VIOLATION => {
                (Error::Database(text()), Remedy::AgainFew)
            }
            &SqlState::QUERY_CANCELED | &SqlState::LOCK_NOT_AVAILABLE => (Error::Busy, Remedy::None),
            &SqlState::INVALID_SQL_STATEMENT_NAME | &SqlState::DUPLICATE_PSTATEMENT => {
                let text =
                    "a pooler in between does not keep prepared statements: turn prepared_statements off";
                (Error::Config(text.into()), Remedy::None)
            }
            &SqlState::DISK_FULL => (Error::Full, Remedy::None),
            // A primary that became a standby under us.
            &SqlState::READ_ONLY_SQL_TRANSACTION | &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => {
                (Error::Unavailable(text()), Remedy::Reconnect)
            }
            // 53: no memory, too many connections.
            other if other.code().starts_with("53") => (Error::Crowded(text()), Remedy::Reconnect),
            // 08: connections; 57P: shut down, starting up.
            other if ["08", "57P"].iter().any(|class| other.code().starts_with(class)) => {
                (Error::Unavailable(text()), Remedy::Reconnect)
            }
            _ => (Error::Database(text()), Remedy::None),
        };
        Self { error, remedy }
    }
}
