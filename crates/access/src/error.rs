//! Why credentials prove nobody, and why a caller may not do what it asked for.

use std::fmt;

use berth_oci::RepositoryName;

use crate::account::Ended;
use crate::action::Action;
use crate::caller::{Caller, Identity, Proof};
use crate::federation::Refused;
use crate::policy::{Decision, Outcome};
use crate::read_only::{MOVED, READ_ONLY};
use crate::resource::Resource;
use crate::snapshot::Gone;

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
    /// The token is none that counts. It isn't repeated: it may be the right one for another registry.
    #[error("token {0}; get another, or log in again")]
    InvalidToken(&'static str),
    /// Whoever a token, or a certificate, speaks for is not believed any more.
    #[error("token counts no more: {why}")]
    Gone {
        /// Who it is.
        who: Identity,
        /// Why.
        why: Gone,
    },
    /// Whoever sent the request is not believed any more since its body began to come in.
    #[error("who sent this counts no more, and it came in too late: {0}")]
    Meanwhile(Gone),
    /// The name or the password is wrong; which one is nobody's business.
    #[error("wrong name or password for {name:?}; log in again")]
    WrongCredentials {
        /// The name that was given, for the log.
        name: String,
        /// What was wrong, for the log alone.
        cause: Cause,
    },
    /// What was given was right, and has ended.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// The password is right, and good for nothing but to be changed.
    #[error(
        "the password of {name:?} must be changed before anything else, because {why}; ask the administrator how"
    )]
    PasswordChangeNeeded {
        /// Whose.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// The password is right, and not enough.
    #[error("{name:?} has a second factor; {}", if *client {
        "make an application password, and log in with that here"
    } else {
        "give a code of the authenticator too"
    })]
    SecondFactorNeeded {
        /// Whose.
        name: String,
        /// Whether whoever asked can't send a code.
        client: bool,
    },
    /// Another service vouches for somebody whose name belongs to another account here.
    #[error("another account here has the name {name:?}; ask the administrator")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The token of a job's own system lets nobody in.
    #[error(transparent)]
    Job(#[from] Refused),
    /// The client's certificate names nobody here.
    #[error("the client certificate names {name:?}, who is no user or robot here; ask the administrator")]
    Certificate {
        /// What it says.
        name: String,
    },
    /// The catalog, which keeps the accounts, can't be asked. Answered with 503.
    #[error("the catalog can't be asked who that is; try again in a few seconds")]
    Unavailable,
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
    /// Tells whether it was a token that was refused.
    pub fn is_token(&self) -> bool {
        matches!(self, Self::InvalidToken(_) | Self::Gone { .. })
    }

    /// Tells whether the server was too busy to decide: 503 and `Retry-After`, not 401.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy | Self::Unavailable | Self::Job(Refused::Unavailable(_)))
    }

    /// Returns the name that was given, for the log.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::WrongCredentials { name, .. }
            | Self::PasswordChangeNeeded { name, .. }
            | Self::SecondFactorNeeded { name, .. }
            | Self::NameTaken { name }
            | Self::Certificate { name } => Some(name),
            _ => None,
        }
    }

    /// Returns who it surely is, though that counts no more: what was shown was right once. Logs name who uses what was taken away.
    pub fn proved(&self) -> Option<Caller> {
        match self {
            Self::Gone { who, .. } | Self::Ended(Ended { who, .. }) => {
                Some(Caller::new(who.clone(), Proof::None))
            }
            _ => None,
        }
    }

    /// Says of a caller that it is not believed any more.
    pub(crate) fn gone(caller: &Caller) -> impl FnOnce(Gone) -> Self {
        let who = caller.identity().clone();
        move |why| Self::Gone { who, why }
    }

    /// The word for the reason in logs. It may tell more than the message that a client gets.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::UnsupportedScheme => "unsupported_scheme",
            Self::WrongCredentials { cause, .. } => cause.as_str(),
            Self::Ended(_) => "ended",
            Self::PasswordChangeNeeded { .. } => "password_change_needed",
            Self::SecondFactorNeeded { .. } => "second_factor_needed",
            Self::NameTaken { .. } => "name_taken",
            Self::Job(_) => "job_token",
            Self::Certificate { .. } => "unknown_certificate",
            Self::NoUsers => "no_users",
            Self::InvalidToken(_) => "invalid_token",
            Self::Gone { .. } | Self::Meanwhile(_) => "revoked",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What was wrong with credentials. Clients don't hear it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Nobody has the name.
    UnknownName,
    /// The password.
    WrongPassword,
    /// A secret that Berth made up: an application password or a robot's.
    WrongSecret,
    /// The code of the second factor.
    WrongCode,
    /// Too many passwords were wrong: for a while, none is right.
    Locked,
    /// Another service keeps the password.
    Elsewhere,
}

impl Cause {
    /// The word for it in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownName => "unknown_name",
            Self::WrongPassword => "wrong_password",
            Self::WrongSecret => "wrong_secret",
            Self::WrongCode => "wrong_code",
            Self::Locked => "locked",
            Self::Elsewhere => "kept_elsewhere",
        }
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
    /// Somebody else: where duties are kept apart nobody changes its own rights.
    OwnRights,
    /// Another token: this one does not cover it, the caller's roles do. 401 with a challenge.
    OutOfScope,
}

/// A caller may not do what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    action: Action,
    /// As the caller named it.
    target: String,
    repository: Option<RepositoryName>,
    caller: Caller,
    reason: Reason,
    decision: Option<Box<Decision>>,
}

impl Denied {
    pub(crate) fn new(action: Action, resource: &Resource<'_>, caller: &Caller, reason: Reason) -> Self {
        let repository = match resource {
            Resource::Repository(name) => Some((*name).clone()),
            _ => None,
        };
        let target = repository.as_ref().map_or_else(|| resource.to_string(), ToString::to_string);
        Self { action, target, repository, caller: caller.clone(), reason, decision: None }
    }

    /// Denies the list of repositories.
    pub(crate) fn listing(caller: &Caller, reason: Reason) -> Self {
        let (action, target, caller) = (Action::List, "repositories".to_owned(), caller.clone());
        Self { action, target, repository: None, caller, reason, decision: None }
    }

    /// Says which rule denies it, or which grant is missing. It rests on what the caller holds, not on what exists: so a project that
    /// is not there gets the same answer as one that the caller may not know of.
    #[must_use]
    pub(crate) fn because(mut self, decision: Decision) -> Self {
        self.decision = Some(Box::new(decision));
        self
    }

    /// Returns the action asked for.
    pub fn action(&self) -> Action {
        self.action
    }

    /// Returns the repository asked for; none when it was something else.
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

    /// Says why, for the audit trail: without the caller's name, which the trail does not hold in plain.
    pub fn why(&self) -> String {
        let word = match self.reason {
            Reason::CredentialsNeeded => "credentials_needed",
            Reason::Forbidden => "forbidden",
            Reason::ReadOnly => "read_only",
            Reason::Moved => "moved",
            Reason::OwnRights => "own_rights",
            Reason::OutOfScope => "out_of_scope",
            Reason::Unnamed => "unnamed",
        };
        match self.decision.as_ref().map(|decision| &decision.outcome) {
            Some(Outcome::Missing) => format!("{word}: no role held there allows it"),
            Some(Outcome::Denied(cause)) => {
                format!("{word}: role {} denies it by pattern {}", cause.role, cause.pattern)
            }
            Some(Outcome::Gone(_)) => format!("{word}: whoever it was is not believed any more"),
            _ => word.to_owned(),
        }
    }

    /// What would help somebody whom the caller's kind of credentials made known.
    fn advice(&self) -> &'static str {
        match self.decision.as_ref().map(|decision| &decision.outcome) {
            _ if self.reason == Reason::OutOfScope => "ask for a token that is made for it",
            Some(Outcome::Gone(_)) => "log in again",
            Some(Outcome::Denied(_)) => "ask the administrator to take that role away",
            _ => "ask the administrator for a role that does",
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, target, caller, .. } = self;
        match (self.reason, caller.identity()) {
            (Reason::ReadOnly, _) => return f.write_str(READ_ONLY),
            (Reason::Moved, _) => return f.write_str(MOVED),
            (Reason::Unnamed, _) => {
                return f.write_str("who does this can't be recorded for now; try again in a moment");
            }
            (Reason::OwnRights, identity) => {
                return write!(
                    f,
                    "access.separation_of_duties lets nobody change their own rights, and no robot or job any; ask a \
                     security administrator other than {identity}"
                );
            }
            (Reason::CredentialsNeeded, _) => {
                return write!(
                    f,
                    "credentials needed to {action} {target}; log in as a user who may {action}"
                );
            }
            (Reason::Forbidden | Reason::OutOfScope, Identity::Anonymous) => {
                write!(f, "anonymous callers may not {action} {target}")?;
            }
            (Reason::Forbidden | Reason::OutOfScope, Identity::User(name)) => {
                write!(f, "user {name} may not {action} {target}")?;
            }
            (Reason::Forbidden | Reason::OutOfScope, other) => {
                write!(f, "{other} may not {action} {target}")?;
            }
        }
        if let Some(decision) = &self.decision {
            write!(f, ": {decision}")?;
        }
        match caller.identity() {
            Identity::Anonymous if self.reason != Reason::OutOfScope => {
                f.write_str("; ask the administrator to allow it or to add users")
            }
            _ => write!(f, "; {}", self.advice()),
        }
    }
}

impl std::error::Error for Denied {}
