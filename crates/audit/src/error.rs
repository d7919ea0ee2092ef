//! What the work of the audit trail can fail with.

/// The audit trail could not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The trail or the event log could not be read or written.
    #[error(transparent)]
    Catalog(#[from] berth_catalog::Error),
    /// Who a person is in the trail could not be found out.
    #[error(transparent)]
    Person(#[from] berth_access::PersonError),
    /// What is sealed can't be opened, or nothing can be sealed.
    #[error(transparent)]
    Vault(#[from] berth_vault::Error),
    /// An archive could not be read or written.
    #[error("archive: {0}")]
    Shelf(#[from] berth_blobs::Error),
    /// A file is not what it should be.
    #[error("{what}: {problem}")]
    File {
        /// Which.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The keys that checkpoints are signed with can't be used.
    #[error("audit signing key: {0}")]
    Key(String),
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Result of the audit trail's work.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn file(what: impl Into<String>, problem: &(impl ToString + ?Sized)) -> Self {
        Self::File { what: what.into(), problem: problem.to_string() }
    }
}
