//! Secrets at rest: what the catalog keeps of them is sealed under a [`Key`] that lies elsewhere.
//!
//! A sealed value says which key opens it, and opens only in the [`context`] that it was sealed for, so that nobody who writes to the
//! catalog can give one row the secret of another. Several keys open and the first seals; that is how a key is replaced.

mod config;
mod error;
mod key;
mod keys;
mod source;
mod vault;

pub mod context;

pub use config::Config;
pub use error::{Error, KeyError};
pub use key::{Key, KeyId};
pub use keys::parse_keys;
pub use source::VARIABLE;
pub use vault::Vault;
/// What holds an opened secret: wiped when it goes.
pub use zeroize::Zeroizing;

#[cfg(test)]
mod tests;
