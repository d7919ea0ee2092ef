//! What the server tells the recorder of something that happened: who did what, where, how it ended.

use berth_access::{Caller, Identity};
use berth_oci::RepositoryName;
use jiff::Timestamp;

/// What was done, or was to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A manifest or a blob was read.
    Pull,
    /// Something was added.
    Push,
    /// Something was removed.
    Delete,
    /// Names or tags were listed.
    List,
    /// Somebody said who it is, and was believed or not.
    Login,
    /// A part of the system was read.
    Read,
    /// Roles, users, robots or settings were changed.
    Access,
}

impl Action {
    /// The word for it in the trail.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
            Self::List => "list",
            Self::Login => "login",
            Self::Read => "read",
            Self::Access => "access",
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused.
    Failure,
}

impl Outcome {
    /// The word for it in the trail.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// Who did it.
#[derive(Debug, Clone)]
pub enum Who {
    /// A caller who was found out.
    Caller(Caller),
    /// Somebody who gave this name and did not prove it; nobody's name where none was given.
    Claimed(Option<String>),
}

impl Who {
    /// Returns who it is; nobody where that was not proved.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Caller(caller) => Some(caller.identity()),
            Self::Claimed(_) => None,
        }
    }
}

/// Something that happened, as the server tells it.
#[derive(Debug, Clone)]
pub struct Note {
    /// When it ended.
    pub at: Timestamp,
    /// What was done.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Who did it.
    pub who: Who,
    /// From where.
    pub origin: std::sync::Arc<berth_access::Origin>,
    /// Where.
    pub repository: Option<RepositoryName>,
    /// Which tag.
    pub tag: Option<String>,
    /// Which manifest or blob.
    pub digest: Option<String>,
    /// Status of the answer.
    pub status: Option<u16>,
    /// Why it was refused.
    pub reason: Option<String>,
    /// Which part of the system it was about.
    pub part: Option<&'static str>,
    /// Which call of the management API it was.
    pub called: Option<Called>,
}

/// A call of the management API, as its path says without names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Called {
    /// Method and path, with `{user}` and the like where names stand.
    pub call: String,
    /// The project that the path names.
    pub project: Option<String>,
    /// The user whom the path names. The trail has the pseudonym, if logs know one.
    pub user: Option<String>,
}
