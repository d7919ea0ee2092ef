//! A token on its way to a client: what it allows, and for how long.

use std::fmt;

use jiff::Timestamp;

/// A token for a client.
pub struct Issued {
    /// The token. No log may hold it.
    pub token: String,
    /// What it allows, as `scope` says it.
    pub scope: String,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// How long it is good.
    pub lifetime_seconds: u32,
    /// What to get another with, if that was asked for.
    pub refresh_token: Option<String>,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("scope", &self.scope)
            .field("issued_at", &self.issued_at)
            .finish_non_exhaustive()
    }
}
