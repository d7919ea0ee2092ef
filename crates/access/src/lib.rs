//! Who may do what: callers, credentials, the decision and the [`Permit`].
//!
//! `server` asks [`Access::authenticate`] who calls, then [`Access::permit`] whether that caller may act on one repository.
//! Every function of `registry` takes the [`Permit`] that comes out, and nothing else can make one.

mod access;
mod account;
mod action;
mod api_token;
mod caller;
mod config;
mod credentials;
mod error;
mod evidence;
pub mod federation;
mod grant;
mod manage;
mod operator;
mod origin;
mod password;
mod permit;
mod person;
mod policy;
mod read_only;
mod remembered;
mod resource;
mod scope;
mod secrets;
mod snapshot;
mod target;
mod token;
mod verifier;

pub mod admin;
pub mod part;

pub use access::Access;
pub use account::{
    Accounts, ApplicationPasswordRules, Ended, Enrolment, Error as AccountError, Grantor, HarborEntry,
    Imported, Looked, NewApplicationPassword, NewRobot, NewUser, OperatorGrants, PasswordRules, Profile,
    RandomSecret, RobotName, RobotNameError, RobotRules, Rotated, Sealer, SecretKind, SessionRules,
    user_name_problem,
};
pub use action::{Action, Actions, UnknownAction};
pub use admin::ProjectChange;
pub use berth_vault::Error as VaultError;
pub use caller::{Caller, Identity, Proof};
pub use config::{Anonymous, Config, ConfigError, OpenError, Refusal, User, UserAccess, effective_anonymous};
pub use credentials::Claim;
pub use error::{Cause as LoginCause, Denied, Reason, Unauthenticated};
pub use manage::{
    BindingMark, BindingsWanted, Explanation, KnownBinding, KnownRole, KnownUser, ManageError, ManageLimits,
    Management, Me, PasswordChange, RobotChange, RobotWanted, UserChange, Within,
};
pub use operator::Operator;
pub use origin::Origin;
pub use password::{HashError, PasswordHash, PasswordHashError, hash_password};
pub use permit::{CatalogPermit, Delete, NewProject, Permit, Pull, Push, Right};
pub use person::{Person, PersonError, Personal, Persons};
pub use policy::{
    BindingConfig, Cause, Decision, Effect, Outcome, PatternError, PolicyConfig, RoleConfig, RoleError,
    Rules, Subject, SubjectError,
};
pub use read_only::{MOVED, READ_ONLY, ReadOnly};
pub use resource::{Resource, is_project, project_of};
pub use scope::Scope;
pub use secrets::{OpenVaultError, Resealed, SecretError, Secrets, open_vault, renew_key, reseal};
pub use snapshot::{Gone, HeldRole, Snapshot};
pub use target::{Target, UnknownTarget};
pub use token::{Ask, Issued, Successor, TokenError, Tokens, TokensConfig, TokensConfigError, rotate};

#[cfg(test)]
mod tests;
