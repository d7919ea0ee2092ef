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
}
