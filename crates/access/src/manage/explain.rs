//! Explains a decision: which role lets somebody do something or denies it, and by which pattern.

use berth_catalog::binding::Kind;
use serde::Serialize;

use super::{ManageError, Management, Result};
use crate::action::Action;
use crate::caller::{Caller, Identity, Proof};
use crate::part;
use crate::policy::{Outcome, Subject};
use crate::resource::Resource;
use crate::target::Target;

/// Why somebody may do something, or may not.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// Who.
    pub subject: String,
    /// What.
    pub action: Action,
    /// On what.
    pub resource: String,
    /// Whether it may.
    pub allowed: bool,
    /// The reason in words.
    pub reason: String,
    /// The role that decided, whom it is bound to, the project it counts in, and the pattern that covers the resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
}

/// What decided.
#[derive(Debug, Clone, Serialize)]
pub struct Rule {
    role: String,
    bound_to: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    pattern: String,
}

impl Management {
    /// Explains a decision about oneself, or with the right to read who may do what about anybody.
    pub fn explain(
        &self,
        caller: &Caller,
        about: Option<&Subject>,
        action: Action,
        target: &Target,
    ) -> Result<Explanation> {
        let of = match about {
            None => caller.clone(),
            Some(subject) => {
                let of = caller_of(subject)?;
                if of.identity() != caller.identity() {
                    self.access.require(caller, Action::Read, Resource::System(part::ACCESS))?;
                }
                of
            }
        };
        let decision = self.access.decide(&of, action, &target.resource());
        let rule = match &decision.outcome {
            Outcome::Allowed(cause) | Outcome::Denied(cause) => Some(Rule {
                role: cause.role.to_string(),
                bound_to: cause.subject.clone(),
                project: cause.project.as_ref().map(ToString::to_string),
                pattern: cause.pattern.to_string(),
            }),
            _ => None,
        };
        Ok(Explanation {
            subject: about.map_or_else(|| of.name().to_owned(), ToString::to_string),
            action,
            resource: decision.resource.clone(),
            allowed: decision.is_allowed(),
            reason: decision.to_string(),
            rule,
        })
    }
}

/// Somebody as whom nobody logged in: the decision rests on roles alone.
fn caller_of(subject: &Subject) -> Result<Caller> {
    let name = subject.name();
    Ok(match subject.kind() {
        Kind::User => Caller::new(Identity::User(name.into()), Proof::None),
        Kind::Robot => Caller::new(Identity::Robot(name.into()), Proof::None),
        Kind::Workload => Caller::new(Identity::Workload(name.into()), Proof::None),
        Kind::Anonymous => Caller::anonymous(),
        Kind::Group | Kind::Authenticated => {
            let text = "decisions are about user:NAME, robot+NAME, workload:NAME or anonymous";
            return Err(ManageError::Invalid(text.to_owned()));
        }
    })
}
