//! Who may do what: callers, credentials, the decision and the [`Permit`].
//!
//! `server` asks [`Access::authenticate`] who calls, then [`Access::permit`] whether that caller may act on one repository.
//! Every function of `registry` takes the [`Permit`] that comes out, and nothing else can make one.

mod access;
mod caller;
mod config;
mod credentials;
mod error;
mod operator;
mod password;
mod permit;
mod read_only;
mod rights;
mod verifier;

pub use access::Access;
pub use caller::Caller;
pub use config::{Anonymous, Config, ConfigError, Refusal, User, UserAccess, effective_anonymous};
pub use error::{Denied, Reason, Unauthenticated};
pub use operator::Operator;
pub use password::{HashError, PasswordHash, PasswordHashError, hash_password};
pub use permit::{Action, CatalogPermit, Delete, Permit, Pull, Push};
pub use read_only::{MOVED, READ_ONLY, ReadOnly};

#[cfg(test)]
mod tests;
