use crate::action::{Action, Actions};
use crate::config::{Anonymous, UserAccess};

/// What a caller may do, from least to most. Each level includes those below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rights {
    None,
    Read,
    Write,
    Admin,
}

impl Rights {
    /// What may be done to a repository.
    pub(crate) fn actions(self) -> Actions {
        const READ: Actions = Actions::NONE.with(Action::Pull).with(Action::List).with(Action::Read);
        match self {
            Self::None => Actions::NONE,
            Self::Read => READ,
            Self::Write | Self::Admin => Actions::ALL,
        }
    }
}

impl From<Anonymous> for Rights {
    fn from(anonymous: Anonymous) -> Self {
        match anonymous {
            Anonymous::None => Self::None,
            Anonymous::Read => Self::Read,
            Anonymous::Write => Self::Write,
        }
    }
}

impl From<UserAccess> for Rights {
    fn from(access: UserAccess) -> Self {
        match access {
            UserAccess::Read => Self::Read,
            UserAccess::Write => Self::Write,
            UserAccess::Admin => Self::Admin,
        }
    }
}
