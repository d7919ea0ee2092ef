//! What roles may allow to do: the actions, the words for them, and sets of them.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that a role may allow to do to a [`Resource`](crate::Resource).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Action {
    /// Read manifests, blobs, tags and referrers of a repository.
    Pull,
    /// Write to a repository: all of `create`, `update` and `sign` there, and uploads. Creates no project.
    Push,
    /// Remove tags, manifests and blobs of a repository; remove a project, a user, a robot.
    Delete,
    /// See that something exists: repositories in a catalog, projects, users.
    List,
    /// Read settings, members, logs.
    Read,
    /// Make what was not there: a project; in a repository, manifests, and tags that did not exist.
    Create,
    /// Change what is there: settings; in a repository, tags that point at another manifest.
    Update,
    /// Push what refers to another manifest: signatures, attestations, other referrers.
    Sign,
    /// Have something scanned.
    Scan,
    /// Copy to or from another registry.
    Replicate,
    /// Everything, and say who else may do what: members, robots, roles.
    Administer,
}

impl Action {
    /// Every action, in the order of the discriminants.
    pub const ALL: [Self; 11] = [
        Self::Pull,
        Self::Push,
        Self::Delete,
        Self::List,
        Self::Read,
        Self::Create,
        Self::Update,
        Self::Sign,
        Self::Scan,
        Self::Replicate,
        Self::Administer,
    ];

    /// The word for it in roles, messages and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
            Self::List => "list",
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Sign => "sign",
            Self::Scan => "scan",
            Self::Replicate => "replicate",
            Self::Administer => "administer",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no action; use pull, push, delete, list, read, create, update, sign, scan, replicate or administer"
)]
pub struct UnknownAction(String);

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        Self::ALL
            .into_iter()
            .find(|action| action.as_str() == text)
            .ok_or_else(|| UnknownAction(text.chars().take(64).collect()))
    }
}

/// A few actions. Two bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Actions(u16);

impl Actions {
    /// No action.
    pub const NONE: Self = Self(0);
    /// Every action.
    pub const ALL: Self = Self((1 << Action::ALL.len()) - 1);

    /// Adds an action.
    #[must_use]
    pub const fn with(self, action: Action) -> Self {
        Self(self.0 | 1 << action as u8)
    }

    /// Tells whether it has an action.
    pub const fn has(self, action: Action) -> bool {
        self.0 & 1 << action as u8 != 0
    }

    /// Returns what is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns what is in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns what is in this and not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Tells whether it has none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Lists them in the order of [`Action::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |action| self.has(*action))
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        actions.into_iter().fold(Self::NONE, Self::with)
    }
}
