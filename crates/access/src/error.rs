use std::fmt;

use berth_oci::RepositoryName;

use crate::action::Action;
use crate::caller::Caller;
use crate::read_only::{MOVED, READ_ONLY};

/// Why a request's credentials prove no caller. All but [`Busy`](Self::Busy) are answered with 401 and a challenge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unauthenticated {
    /// The header isn't what RFC 7617 describes.
    #[error("malformed authorization header: {0}; send `Basic` and base64 of name:password")]
    Malformed(&'static str),
    /// The header uses another scheme than Basic. The scheme isn't repeated: a bare token would look like one.
    #[error("authorization scheme not supported; send Basic credentials")]
    UnsupportedScheme,
    /// The name or the password is wrong; which one is nobody's business.
    #[error("wrong name or password for {name:?}; log in again")]
    WrongCredentials {
        /// The name that was given, for the log.
        name: String,
    },
    /// No users are configured, so no credentials can be right.
    #[error(
        "credentials given, but no users are configured; log out, or ask the administrator for an account"
    )]
    NoUsers,
    /// Too many passwords wait to be verified. Answered with 503: the credentials may be right.
    #[error("too many logins at once; try again in a few seconds")]
    Busy,
}

impl Unauthenticated {
    /// Tells whether the server was too busy to decide: 503 and `Retry-After`, not 401.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy)
    }
}

/// What would help a caller who was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The request had no credentials, and some would help: 401 with a challenge.
    CredentialsNeeded,
    /// Other credentials than the caller's, or another configuration, would be needed: 403.
    Forbidden,
    /// Nobody may for now: the registry is read-only. 405.
    ReadOnly,
    /// Nothing: the registry has moved.
    Moved,
    /// To try again: logs can't name the caller for now. 503.
    Unnamed,
}

/// A caller may not do what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    action: Action,
    repository: Option<RepositoryName>,
    caller: Caller,
    reason: Reason,
}

impl Denied {
    pub(crate) fn new(
        action: Action,
        repository: Option<&RepositoryName>,
        caller: &Caller,
        reason: Reason,
    ) -> Self {
        Self { action, repository: repository.cloned(), caller: caller.clone(), reason }
    }

    /// Returns the action asked for.
    pub fn action(&self) -> Action {
        self.action
    }

    /// Returns the repository asked for; none when it was the list of repositories.
    pub fn repository(&self) -> Option<&RepositoryName> {
        self.repository.as_ref()
    }

    /// Returns who asked.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Returns what would help, which decides between 401 and 403.
    pub fn reason(&self) -> Reason {
        self.reason
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = self.action;
        let target: &dyn fmt::Display = self.repository.as_ref().map_or(&"repositories", |name| name);
        match (self.reason, self.caller.is_anonymous()) {
            (Reason::ReadOnly, _) => f.write_str(READ_ONLY),
            (Reason::Moved, _) => f.write_str(MOVED),
            (Reason::Unnamed, _) => f.write_str("who does this can't be recorded for now; try again in a moment"),
            (Reason::CredentialsNeeded, _) => {
                write!(f, "credentials needed to {action} {target}; log in as a user who may {action}")
            }
            (Reason::Forbidden, true) => {
                write!(
                    f,
                    "anonymous callers may not {action} {target}; ask the administrator to allow it or to add users"
                )
            }
            (Reason::Forbidden, false) => {
                let name = &self.caller;
                write!(f, "user {name} may not {action} {target}; ask the administrator for more access")
            }
        }
    }
}

impl std::error::Error for Denied {}
