//! Test support: real databases, object stores and proxies, each private to one test binary, and lines to them that can be cut.
//!
//! Only tests use this room, and it uses no other; it fails by panicking, which is what a test wants. Every function blocks
//! its thread for as long as it takes, so that tests may call it with or without a runtime.
//!
//! ```
//! let database = berth_engines::Postgres::shared().database();
//! assert_eq!(berth_engines::Postgres::query(&database, "SELECT 1 + 1"), "2");
//! ```

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on must fail, loudly and at once"
)]
#![expect(clippy::missing_panics_doc, reason = "every function here panics where a test could not go on")]

mod authority;
mod guard;
mod haproxy;
mod keycloak;
mod link;
mod oidc_provider;
mod opensearch;
mod pair;
mod patience;
mod pgbouncer;
mod port;
mod postgres;
mod program;
mod rgw;
mod slapd;

pub use authority::authority;
pub use haproxy::Haproxy;
pub use keycloak::Keycloak;
pub use link::Link;
pub use oidc_provider::OidcProvider;
pub use opensearch::{OpenSearch, search_python};
pub use pair::PostgresPair;
pub use pgbouncer::PgBouncer;
pub use port::free_port;
pub use postgres::Postgres;
pub use rgw::{Rgw, RgwDoor};
pub use slapd::Slapd;
