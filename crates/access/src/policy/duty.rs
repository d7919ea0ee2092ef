//! Separation of duties: who runs the registry, who says who may do what, and who keeps the trail are three.

use super::path::Path;
use super::role::Role;
use crate::action::{Action, Actions};
use crate::part;
use crate::resource::Resource;

/// Which of the three duties something has. What a role is called does not matter, only what it allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Duties(u8);

const NAMES: [&str; 3] = ["system", "security", "audit"];

impl Duties {
    pub(crate) const NONE: Self = Self(0);

    /// Finds out which duties a role has when it is bound everywhere; in a project it has none.
    pub(crate) fn of(role: &Role) -> Self {
        const CHANGES: Actions =
            Actions::NONE.with(Action::Update).with(Action::Delete).with(Action::Administer);
        const ALONE: Actions = Actions::NONE.with(Action::Administer);
        let probes = [(part::CONFIGURATION, CHANGES), (part::ACCESS, ALONE), (part::AUDIT, CHANGES)];
        let bits = probes.iter().zip(0..).map(|((part, actions), bit)| {
            let (allowed, denied) = role.on(&Path::of(&Resource::System(part)));
            let has = actions.iter().any(|action| allowed.has(action) && !denied.has(action));
            u8::from(has) << bit
        });
        Self(bits.sum())
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Tells whether these are more than one.
    pub(crate) fn conflict(self) -> bool {
        self.0.count_ones() > 1
    }

    fn names(self) -> String {
        let names: Vec<_> =
            NAMES.iter().zip(0..).filter(|(_, bit)| self.0 & 1 << bit != 0).map(|(name, _)| *name).collect();
        names.join(" and ")
    }
}

/// Two duties met where `access.separation_of_duties` keeps them apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{who} would have the duties {} together, which access.separation_of_duties forbids; give one of them to somebody else",
    .duties.names()
)]
pub(crate) struct Conflict {
    pub(crate) who: String,
    pub(crate) duties: Duties,
}
