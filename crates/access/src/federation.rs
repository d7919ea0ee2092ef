//! Identities that others vouch for: what a directory, a login service or a CI system proves, and how each is configured. Who talks to
//! them is room `federation`; this room only knows what they say.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

mod facade;
mod ldap;
mod oidc;
mod workload;

pub use berth_catalog::account::Source;
pub(crate) use facade::JOB;
pub use ldap::{Attributes, GroupNames, GroupSearch, Ldap, LdapBind, UserSearch};
pub use oidc::Oidc;
pub use workload::{Grant, OneOrMany, Workload};

/// A person, as somebody else vouched for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// What kind of service it was.
    pub source: Source,
    /// Who it is there, for ever: another person of the same name has another. It begins with the service's name in the configuration.
    pub external: String,
    /// The name to log in with.
    pub name: String,
    /// The groups that it is in, as roles name them.
    pub groups: Vec<String>,
    /// The name to show.
    pub display: Option<String>,
    /// The address to write to.
    pub email: Option<String>,
}

/// How long every refusal takes at least where a directory is asked: longer than one needs for a wrong password, so that time does not
/// tell whether it knows a name, nor whether it was asked at all.
pub const REFUSAL: Duration = Duration::from_millis(500);

/// What a directory knows of somebody whose password it is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookedUp {
    /// It is there.
    Found(Proven),
    /// It is not there, or may not log in any more.
    Gone,
    /// It can't be asked without the password.
    Unknown,
}

/// The service that would know can't be asked; the credentials may be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the directory of users can't be reached; try again in a few seconds")]
pub struct Unavailable;

/// Knows users that Berth does not.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Finds out who `name` is if `password` is right. `None` if it is not, or nobody has the name: both take as long.
    async fn verify(&self, name: &str, password: &str) -> Result<Option<Proven>, Unavailable>;

    /// Looks somebody up whom [`Directory::verify`] has proved before.
    async fn look_up(&self, name: &str, external: &str) -> Result<LookedUp, Unavailable>;
}

/// A job that another system vouched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name in logs: `ci:TRUST/SUBJECT`, where TRUST is the policy that let it in.
    pub name: String,
    /// How long a token of Berth's is good that it gets.
    pub lifetime_seconds: u32,
    /// Stands for the job's own token if that is to be taken once only: a hash of issuer and `jti`.
    pub once: Option<String>,
    /// When the job's own token is worth nothing any more.
    pub expires_at: Timestamp,
}

/// Why a job's token lets nobody in. The text may be shown to who sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody here trusts its issuer.
    #[error(
        "no trust policy names the issuer of this token; ask the administrator for one in access.workloads"
    )]
    Issuer,
    /// It proves nothing.
    #[error("this token proves nothing: {0}")]
    Token(String),
    /// It is genuine, but no policy is meant for it.
    #[error("no trust policy lets this token in: {0}")]
    Claims(String),
    /// It is to be taken once, and was.
    #[error("this token was used before, and is good once only; get another from your CI system")]
    Used,
    /// The issuer can't be asked for its keys; the token may be right. The reason is for the log.
    #[error("the issuer of this token can't be asked for its keys now; try again in a few seconds")]
    Unavailable(String),
}

/// Knows which jobs of other systems are let in.
#[async_trait]
pub trait Issuers: Send + Sync {
    /// Finds out who a job is by the token of its system.
    async fn exchange(&self, token: &str, now: Timestamp) -> Result<Job, Refused>;
}
