//! A client of other registries, of whatever make: what they hold, manifests byte for byte, blobs from any offset.
//!
//! It only reads. What it hands out is not believed: whoever takes content compares it with the digest that was asked for (manifests
//! are compared here, blobs where they are hashed anyway). Credentials go to the registry that the operator named and to the token
//! service that it names, and to nobody it redirects to.

mod address;
mod auth;
mod blob;
mod challenge;
mod credentials;
mod error;
mod guard;
mod limits;
mod list;
mod manifest;
mod page;
mod patience;
mod referrers;
mod request;
mod throttle;
mod upstream;

pub use address::{Address, is_loopback};
pub use blob::Body;
pub use credentials::Credentials;
pub use error::{Error, Result};
pub use guard::{Guard, PlainHttp};
pub use limits::Limits;
pub use manifest::Fetched;
pub use upstream::{Settings, Upstream};
