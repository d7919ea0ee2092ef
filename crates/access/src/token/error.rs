//! Why a token could not be made.

/// A token could not be made.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The catalog did not answer.
    #[error(transparent)]
    Catalog(#[from] berth_catalog::Error),
    /// The key could not be sealed, or opened.
    #[error("signing key: {0}")]
    Vault(#[from] berth_vault::Error),
    /// The key could not be made or used.
    #[error("signing key: {0}")]
    Key(&'static str),
    /// No tokens are handed out here.
    #[error("tokens are switched off by access.tokens.enabled")]
    Off,
}

impl TokenError {
    /// Tells whether trying again may help.
    pub fn is_passing(&self) -> bool {
        use berth_catalog::Error as E;
        matches!(self, Self::Catalog(E::Busy | E::Unavailable(_) | E::Crowded(_) | E::Unknown))
    }
}
