//! Credentials that Berth keeps itself.

mod secret;

pub use secret::{RandomSecret, SecretKind};
