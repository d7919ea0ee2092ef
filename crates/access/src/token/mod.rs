//! Tokens that Berth signs: what a client gets for its credentials, and shows instead of them for a few minutes.
//!
//! A token says who calls and narrows what the call may do; it grants nothing. Roles are asked again at each use, and whoever was
//! disabled since it was signed is refused, so nothing has to be looked up to revoke one. Keys come from our own set alone, by the
//! `kid` of the header; its algorithm is compared, never obeyed.

mod ask;
mod claims;
mod config;
mod error;
mod facade;
mod issued;
mod keep;
mod key;
mod keys;
mod refresh;
mod rotation;
mod tokens;
mod verify;

pub use ask::Ask;
pub use config::{TokensConfig, TokensConfigError};
pub use error::TokenError;
pub use issued::Issued;
pub use rotation::{Successor, rotate};
pub use tokens::Tokens;

/// Returns the token of an `Authorization` header whose scheme is Bearer (RFC 6750 section 2.1).
pub(crate) fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

#[cfg(test)]
mod tests;
