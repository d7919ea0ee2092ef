//! Who may do what: callers, credentials, the decision and the [`Permit`].
//!
//! `server` asks [`Access::authenticate`] who calls, then [`Access::permit`] whether that caller may act on one repository.
//! Every function of `registry` takes the [`Permit`] that comes out, and nothing else can make one.

mod access;
mod action;
mod caller;
mod config;
mod credentials;
mod error;
pub mod federation;
mod operator;
mod origin;
mod password;
mod permit;
mod read_only;
mod resource;
mod rights;
mod scope;
mod verifier;

pub use access::Access;
pub use action::{Action, Actions, UnknownAction};
pub use caller::{Caller, Identity, Proof};
pub use config::{Anonymous, Config, ConfigError, Refusal, User, UserAccess, effective_anonymous};
pub use error::{Denied, Reason, Unauthenticated};
pub use operator::Operator;
pub use origin::Origin;
pub use password::{HashError, PasswordHash, PasswordHashError, hash_password};
pub use permit::{CatalogPermit, Delete, Permit, Pull, Push, Right};
pub use read_only::{MOVED, READ_ONLY, ReadOnly};
pub use resource::{Resource, project_of};
pub use scope::Scope;

#[cfg(test)]
mod tests;
