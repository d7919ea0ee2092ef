//! Why a call of the management API did not get what it asked for, in the domain's words.

use crate::admin::AdminError;
use crate::error::Denied;

/// Why a call of the management API was not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManageError {
    /// It is not there, or the caller may not know that it is.
    #[error("nothing here, or nothing that you may see")]
    Hidden,
    /// The caller may see it, and may not do this to it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Nobody would be left who may say who may do what.
    #[error(
        "nobody would be left who may say who may do what; give somebody else the right to administer system/access first"
    )]
    LastAdministrator,
    /// A password made for one client is for that client, and a token for its repositories.
    #[error(
        "an application password or a token is for what it was made for; do this with your own password (and a code of the second factor \
         in X-Berth-OTP, where you have one) or a session"
    )]
    NotByThis,
    /// The change would let the caller act as somebody who may do more.
    #[error(
        "{name} may do, or could if nothing stood in the way, what you may not; ask somebody who may at least as much, or \
         the machine's operator"
    )]
    Mightier {
        /// Who.
        name: String,
    },
    /// The caller knows a robot's secret, where nobody changes its own rights.
    #[error(
        "you know the secret of a robot that this is about; where duties are kept apart somebody else says what it may do"
    )]
    OwnRobot,
    /// Who may do what changed while it was looked at, again and again.
    #[error(
        "others change who may do what all the time, so this could not be decided; try again in a moment"
    )]
    Moved,
    /// Somebody else chose the account's password, where duties are kept apart.
    #[error(
        "somebody else chose the password of {name:?}, and would get the role as well; bind it when {name:?} has changed it"
    )]
    NotOwn {
        /// Who.
        name: String,
    },
    /// A name that roles wait for already.
    #[error(
        "roles are bound to {name:?} already, and whoever makes it would get them; take them away first, or ask somebody who \
         may bind them: where duties are kept apart, the machine's operator"
    )]
    Awaited {
        /// The name.
        name: String,
    },
    /// A role's name that is bound already.
    #[error(
        "{name:?} is bound to somebody already, who would get this role unseen; remove those bindings first"
    )]
    AwaitedRole {
        /// The name.
        name: String,
    },
    /// There are as many as there may be.
    #[error("there are {most} {what} already, and no more are made; delete some first")]
    Full {
        /// Of what.
        what: &'static str,
        /// How many.
        most: usize,
    },
    /// There is one already.
    #[error("{0} is there already")]
    Exists(&'static str),
    /// The role is bound so already.
    #[error("this binding is there already, as number {id}")]
    Bound {
        /// Its number.
        id: i64,
    },
    /// What was given is none.
    #[error("{0}")]
    Invalid(String),
    /// An account, a robot or their secrets can't be so.
    #[error(transparent)]
    Account(crate::account::Error),
    /// The change was not made.
    #[error(transparent)]
    Admin(#[from] AdminError),
}

impl From<crate::account::Error> for ManageError {
    /// What is not there, and what a caller may not see, get one answer.
    fn from(error: crate::account::Error) -> Self {
        match error {
            crate::account::Error::Unknown { .. } => Self::Hidden,
            other => Self::Account(other),
        }
    }
}

impl From<berth_catalog::Error> for ManageError {
    fn from(error: berth_catalog::Error) -> Self {
        Self::Admin(error.into())
    }
}

impl ManageError {
    /// Tells whether the password, or the code, that was to prove who it is was wrong.
    pub fn is_wrong_proof(&self) -> bool {
        use crate::account::Error;
        match self {
            Self::Account(Error::Unproved(error)) => !error.is_busy(),
            Self::Account(Error::Code) => true,
            _ => false,
        }
    }
}

/// Result of a call.
pub(super) type Result<T, E = ManageError> = std::result::Result<T, E>;
