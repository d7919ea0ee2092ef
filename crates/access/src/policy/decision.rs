//! From what roles say of a resource to an answer: what is granted, and which role and pattern decided.

use std::fmt;
use std::sync::Arc;

use berth_catalog::binding::Kind;

use super::book::Bound;
use super::path::Path;
use super::role::{Effect, PUSHES};
use crate::action::{Action, Actions};
use crate::scope::Scope;
use crate::snapshot::Gone;

use berth_oci::RepositoryName;

/// Whether something may be done, and why, or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What was asked for.
    pub action: Action,
    /// On what, as roles name it.
    pub resource: String,
    /// How it was decided.
    pub outcome: Outcome,
}

/// How something was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// A role allows it, and none denies it.
    Allowed(Cause),
    /// The project is public, and this is what that allows.
    Public,
    /// A role denies it, so no other can allow it.
    Denied(Cause),
    /// No role of the caller's allows it.
    Missing,
    /// Roles allow it, but the token was made for something else.
    OutOfScope,
    /// The caller is none any more.
    Gone(Gone),
}

/// Which role decided, why the caller holds it, and what in it decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The role.
    pub role: Arc<str>,
    /// Whom it is bound to.
    pub subject: String,
    /// The only project it counts in.
    pub project: Option<Arc<str>>,
    /// The pattern that covers the resource.
    pub pattern: Arc<str>,
}

impl Decision {
    /// Tells whether it may be done.
    pub fn is_allowed(&self) -> bool {
        matches!(self.outcome, Outcome::Allowed(_) | Outcome::Public)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, subject, project, pattern } = self;
        write!(f, "role {role}, bound to {subject}")?;
        match project {
            Some(project) => write!(f, " in project {project}")?,
            None => f.write_str(" everywhere")?,
        }
        write!(f, ", by pattern {pattern}")
    }
}

/// The reason alone: what was asked for stands in front of it.
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, resource, outcome } = self;
        match outcome {
            Outcome::Allowed(cause) => write!(f, "{cause}, allows {action} on {resource}"),
            Outcome::Public => write!(f, "the project is public, which allows {action} on {resource}"),
            Outcome::Denied(cause) => write!(f, "{cause}, denies {action} on {resource}"),
            Outcome::Missing => write!(f, "no role held there allows {action} on {resource}"),
            Outcome::OutOfScope => write!(f, "the token was not made for {action} on {resource}"),
            Outcome::Gone(gone) => gone.fmt(f),
        }
    }
}

/// The actions one of which is enough for what was asked for.
pub(crate) fn enough(action: Action, path: &Path<'_>) -> Actions {
    if path.is_repository && action == Action::Push { PUSHES } else { Actions::NONE.with(action) }
}

/// Puts together what roles allow and deny: to push is to be allowed anything that pushing is made of.
pub(crate) fn settle(allowed: Actions, denied: Actions, path: &Path<'_>) -> Actions {
    let granted = allowed.without(denied);
    if !path.is_repository {
        granted
    } else if granted.and(PUSHES).is_empty() {
        granted.without(Actions::NONE.with(Action::Push))
    } else {
        granted.with(Action::Push)
    }
}

/// Adds up what roles say of a resource.
pub(crate) fn from_rules<'a>(
    path: &Path<'_>,
    beside: Actions,
    each: impl FnOnce(&mut dyn FnMut(Bound<'a>)),
) -> Actions {
    let (mut allowed, mut denied) = (beside, Actions::NONE);
    each(&mut |bound| {
        let (more, less) = bound.role.on(path);
        allowed = allowed.or(more);
        denied = denied.or(less);
    });
    settle(allowed, denied, path)
}

/// Narrows to what a token was made for. One that was made to push may do all that pushing is made of, as far as roles allow.
pub(crate) fn within_token(granted: Actions, scope: Option<&Scope>, repository: &RepositoryName) -> Actions {
    let Some(scope) = scope else { return granted };
    let named = scope.repositories.get(repository).copied().unwrap_or_default();
    let named = if named.has(Action::Push) { named.or(PUSHES) } else { named };
    granted.and(named)
}

impl Bound<'_> {
    /// Finds what in the role allows or denies one of the actions.
    pub(crate) fn cause(&self, effect: Effect, wanted: Actions, path: &Path<'_>) -> Option<Cause> {
        let decides = |rule: &&super::role::Rule| {
            rule.effect == effect && !rule.actions_on(path).and(wanted).is_empty()
        };
        let pattern = self.role.rules.iter().filter(decides).find_map(|rule| rule.pattern(path))?;
        Some(Cause {
            role: Arc::clone(&self.role.name),
            subject: match self.kind {
                Kind::Authenticated | Kind::Anonymous => self.kind.as_str().to_owned(),
                Kind::Robot => self.subject.to_owned(),
                kind => format!("{}:{}", kind.as_str(), self.subject),
            },
            project: self.project.cloned(),
            pattern: Arc::clone(pattern.text()),
        })
    }
}
