//! Roles as data and the decision: patterns, roles, who holds them, and what follows.
//!
//! Configuration and catalog are compiled to a [`Book`] of who holds which role where; a decision only walks what one caller holds.

mod binding;
mod book;
mod built_in;
mod decision;
mod duty;
mod path;
mod pattern;
mod role;
mod rules;
mod subject;

pub use binding::BindingConfig;
pub(crate) use book::{Book, Bound, Held};
pub use decision::{Cause, Decision, Outcome};
pub(crate) use decision::{enough, from_rules, within_token};
pub(crate) use duty::{Conflict, Duties};
pub(crate) use path::Path;
pub use pattern::PatternError;
pub use role::{Effect, PolicyConfig, RoleConfig, RoleError};
pub(crate) use role::{PUSHES, Role};
pub use rules::Rules;
pub use subject::{Subject, SubjectError};
