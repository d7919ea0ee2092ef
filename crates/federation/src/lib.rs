//! Talking to those who vouch for identities: directories of users, login services, and the issuers of CI jobs' tokens.
//!
//! What they say comes back as [`Proven`](berth_access::federation::Proven) or [`Job`](berth_access::federation::Job); what it allows is for room `access` to decide. Whom to ask
//! comes from the configuration alone: nothing that a client sends can name an address.

mod credential;
mod directories;
mod error;
mod http;
mod issuer;
mod keys;
mod ldap;
mod name;
mod oidc;
mod pattern;
mod refresh;
mod token;
mod workload;

pub use directories::Directories;
pub use error::{LoginError, SettingsError};
pub use oidc::{Answer, Attempt, LoginService};
pub use refresh::RefreshJob;
pub use workload::Workloads;
