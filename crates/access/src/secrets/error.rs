//! Why a secret could not be kept in the catalog, or read from it.

/// A secret could not be kept or read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The catalog did not answer.
    #[error(transparent)]
    Catalog(#[from] berth_catalog::Error),
    /// It could not be sealed or opened.
    #[error("secret {name:?}: {error}")]
    Vault {
        /// Its name.
        name: String,
        /// Why.
        error: berth_vault::Error,
    },
    /// The name means nothing.
    #[error("secret name {0:?} must be 1 to 64 letters, digits, and `-._`")]
    Name(String),
    /// Berth keeps it for itself: the registry would not start without it, or could prove nothing.
    #[error("secret {0:?} is Berth's own: it is neither set nor removed by hand; choose another name")]
    Own(String),
    /// It says nothing.
    #[error("the secret {0:?} would be empty; give it as the first line")]
    Empty(String),
}
