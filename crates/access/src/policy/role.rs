//! Roles: as the configuration and the API write them, and compiled for decisions.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duty::Duties;
use super::path::Path;
use super::pattern::{Pattern, PatternError};
use crate::action::{Action, Actions};
use crate::part;
use crate::resource::Resource;

const MAX_NAME_BYTES: usize = 64;
const MAX_POLICIES: usize = 256;
const MAX_RESOURCES: usize = 256;

/// Signing, making and moving: what pushing to a repository is made of.
pub(crate) const PUSHES: Actions = Actions::NONE.with(Action::Create).with(Action::Update).with(Action::Sign);

/// A role: what whoever holds it may do, and may not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleConfig {
    /// The name that bindings give: 1 to 64 letters, digits, dots, dashes and underscores.
    #[schemars(length(min = 1, max = 64))]
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it allows and denies.
    pub policies: Vec<PolicyConfig>,
}

/// What a role allows or denies on some resources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// Patterns such as `project/*`, `project/NAME/repository/PATH` or `system/audit`. Each covers what it matches and everything
    /// below; `*` matches within one segment, `**` any number of segments.
    pub resources: Vec<String>,
    /// What may be done, or may not: `pull`, `push`, `delete`, `list`, `read`, `create`, `update`, `sign`, `scan`, `replicate`,
    /// `administer`.
    pub actions: Vec<Action>,
    /// `allow`, or `deny`, which wins over every role that allows.
    #[serde(default, skip_serializing_if = "Effect::is_allow")]
    pub effect: Effect,
}

/// Whether a policy allows or denies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Allows.
    #[default]
    Allow,
    /// Denies, whatever other roles allow.
    Deny,
}

impl Effect {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    fn is_allow(&self) -> bool {
        *self == Self::Allow
    }
}

/// A role can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoleError {
    /// Its name can't be told from something else, or is too long.
    #[error(
        "{0:?} is no role's name; use 1 to 64 letters, digits, dots, dashes and underscores, and not only one or two dots"
    )]
    Name(String),
    /// It has too many policies, or one has too many patterns.
    #[error("there are more than 256 policies, or more than 256 resources in one; split the role")]
    TooLarge,
    /// What it is for can't be shown in a line, or is too long.
    #[error("its description is longer than 1024 bytes, or holds a control character")]
    Description,
    /// A policy is about nothing.
    #[error("policy {0} names no resources or no actions; add some or remove it")]
    Empty(usize),
    /// A pattern is none.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// What the catalog holds is none.
    #[error("its policies are no list of policies: {0}")]
    Unreadable(String),
}

/// A role as decisions use it.
#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) name: Arc<str>,
    pub(crate) rules: Box<[Rule]>,
    /// What it has of the three duties where it is bound everywhere.
    pub(crate) duties: Duties,
}

/// One policy of a role.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) effect: Effect,
    actions: Actions,
    patterns: Box<[Pattern]>,
}

impl RoleConfig {
    /// Checks it as a start with it would.
    pub fn check(&self) -> Result<(), RoleError> {
        Role::compile(self).map(drop)
    }
}

impl Role {
    pub(crate) fn compile(config: &RoleConfig) -> Result<Self, RoleError> {
        let RoleConfig { name, policies, .. } = config;
        let fits = |char: char| char.is_ascii_alphanumeric() || ".-_".contains(char);
        // A path of the API ends with the name, and clients fold these two out of paths.
        let folds = name == "." || name == "..";
        if folds || name.is_empty() || name.len() > MAX_NAME_BYTES || !name.chars().all(fits) {
            return Err(RoleError::Name(name.chars().take(MAX_NAME_BYTES).collect()));
        }
        let role = Self::of_policies(name.as_str().into(), policies)?;
        role.names_something()?;
        Ok(role)
    }

    /// Compiles what the catalog holds.
    pub(crate) fn read(name: Arc<str>, policies: &str) -> Result<Self, RoleError> {
        let policies: Vec<PolicyConfig> =
            serde_json::from_str(policies).map_err(|error| RoleError::Unreadable(error.to_string()))?;
        Self::of_policies(name, &policies)
    }

    /// What can't be read might have denied something, so it denies everything.
    pub(crate) fn unreadable(name: Arc<str>) -> Self {
        let all = Pattern::parse("**").into_iter().collect();
        let rule = Rule { effect: Effect::Deny, actions: Actions::ALL, patterns: all };
        Self { name, rules: Box::new([rule]), duties: Duties::NONE }
    }

    fn of_policies(name: Arc<str>, policies: &[PolicyConfig]) -> Result<Self, RoleError> {
        if policies.len() > MAX_POLICIES
            || policies.iter().any(|policy| policy.resources.len() > MAX_RESOURCES)
        {
            return Err(RoleError::TooLarge);
        }
        let rules = policies.iter().zip(1..).map(|(policy, number)| {
            if policy.resources.is_empty() || policy.actions.is_empty() {
                return Err(RoleError::Empty(number));
            }
            let patterns =
                policy.resources.iter().map(|text| Pattern::parse(text)).collect::<Result<_, _>>()?;
            Ok(Rule { effect: policy.effect, actions: policy.actions.iter().copied().collect(), patterns })
        });
        let mut role = Self { name, rules: rules.collect::<Result<_, _>>()?, duties: Duties::NONE };
        role.duties = Duties::of(&role);
        Ok(role)
    }

    /// Sees that there can be what its patterns name.
    pub(crate) fn names_something(&self) -> Result<(), PatternError> {
        self.rules.iter().flat_map(|rule| &rule.patterns).try_for_each(Pattern::names_something)
    }

    /// Returns what it allows and what it denies on a resource.
    pub(crate) fn on(&self, path: &Path<'_>) -> (Actions, Actions) {
        let (mut allowed, mut denied) = (Actions::NONE, Actions::NONE);
        for rule in self.rules.iter().filter(|rule| rule.pattern(path).is_some()) {
            match rule.effect {
                Effect::Allow => allowed = allowed.or(rule.actions_on(path)),
                Effect::Deny => denied = denied.or(rule.actions_on(path)),
            }
        }
        (allowed, denied)
    }

    /// Tells whether whoever holds it may administer something, or change the system.
    pub(crate) fn governs(&self) -> bool {
        let administers = |rule: &Rule| rule.effect == Effect::Allow && rule.actions.has(Action::Administer);
        let changes = |(allowed, denied): (Actions, Actions)| {
            let reads = |action| matches!(action, Action::Pull | Action::List | Action::Read);
            allowed.iter().any(|action| !reads(action) && !denied.has(action))
        };
        self.rules.iter().any(administers)
            || part::ALL.iter().any(|part| changes(self.on(&Path::of(&Resource::System(part)))))
    }

    /// Tells whether it might let somebody see a repository.
    pub(crate) fn lists(&self) -> bool {
        let lists = |rule: &Rule| rule.actions.has(Action::List) || rule.actions.has(Action::Administer);
        self.rules.iter().any(|rule| rule.effect == Effect::Allow && lists(rule))
    }
}

impl Rule {
    /// Returns the pattern that covers a resource.
    pub(crate) fn pattern(&self, path: &Path<'_>) -> Option<&Pattern> {
        self.patterns.iter().find(|pattern| pattern.covers(&path.segments))
    }

    /// Lists its patterns.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().map(|pattern| &**pattern.text())
    }

    /// Returns the actions it is about on a resource: `administer` allows everything, and `push` is made of other actions in a
    /// repository. To deny `administer` takes that away alone.
    pub(crate) fn actions_on(&self, path: &Path<'_>) -> Actions {
        if self.effect == Effect::Allow && self.actions.has(Action::Administer) {
            Actions::ALL
        } else if path.is_repository && self.actions.has(Action::Push) {
            self.actions.or(PUSHES)
        } else {
            self.actions
        }
    }
}
