//! Says what a store can fail with, in the words of its callers.

use std::io;

use rustix::io::Errno;

/// Is what every operation of a store returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Says why a store could not do what it was asked; the caller knows which upload or location it named.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing lies at the location.
    #[error("the store holds no blob at this location")]
    NotFound,
    /// The upload's file is missing or shorter than what was acknowledged.
    #[error("the upload lost bytes that it had acknowledged; start it again")]
    UploadLost,
    /// Another writer of the same upload is still at work.
    #[error("another request is still writing this upload; try again when it has ended")]
    UploadBusy,
    /// A blob's file ends before its size says.
    #[error("the blob ends at byte {stored} of {expected}: its file was truncated; run a scrub")]
    Truncated {
        /// Bytes that can be read.
        stored: u64,
        /// Bytes the blob had when it was opened.
        expected: u64,
    },
    /// The disk, its quota or its inodes are used up.
    #[error("no space is left in the store; free some or collect garbage")]
    Full,
    /// The store can't be reached or is overloaded, and why.
    #[error("the store is not available: {0}; try again in a moment")]
    Unavailable(String),
    /// The location is not one this store can have issued.
    #[error("`{0}` is not a location of this store")]
    InvalidLocation(String),
    /// The system failed, and what was being done.
    #[error("{1}: {0}")]
    Io(io::Error, String),
}

impl Error {
    /// Turns a system error into a store's error: exhausted space, inodes and quota become [`Error::Full`].
    pub(crate) fn io(source: io::Error, context: impl Into<String>) -> Self {
        match Errno::from_io_error(&source) {
            Some(Errno::NOSPC | Errno::DQUOT) => Self::Full,
            _ => Self::Io(source, context.into()),
        }
    }
}

/// Adds to a system error what was being done.
pub(crate) trait Context<T> {
    /// Maps the error with a description that is only made when it is needed.
    fn context(self, context: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, context: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Error::io(error.into(), context()))
    }
}
