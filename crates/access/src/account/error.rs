//! Why something could not be done to an account, a robot or their secrets, and when what was right ended.

use jiff::Timestamp;

use super::name::RobotNameError;
use crate::caller::Identity;
use crate::error::Unauthenticated;
use crate::password::HashError;
use crate::read_only::MOVED;

/// Why something could not be done to an account, a robot or their secrets. No message repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A user's name can't be sent in Basic credentials, or means somebody else.
    #[error("user name {name:?} {problem}; choose another")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A robot's name.
    #[error(transparent)]
    RobotName(#[from] RobotNameError),
    /// Somebody has the name.
    #[error("{0:?} is taken; choose another name")]
    Taken(String),
    /// Nobody has the name.
    #[error("there is no {what} {name:?}")]
    Unknown {
        /// A user, a robot or another thing.
        what: &'static str,
        /// The name given.
        name: String,
    },
    /// A person whom another service vouches for has no password here.
    #[error("{0:?} logs in through another service, which keeps the password; change it there")]
    Elsewhere(String),
    /// A user of the configuration has what stands there, and no account.
    #[error("{0:?} is a user of the configuration, and has no account that could hold this")]
    Configured(String),
    /// A password that the rules refuse.
    #[error("the password {0}")]
    Weak(String),
    /// A password that the account had.
    #[error("the password was used before; the last {0} may not be used again")]
    Reused(usize),
    /// A password that was changed by somebody else while its owner changed it.
    #[error(
        "the password of {0:?} was changed by somebody else meanwhile; log in with the new one, or ask the administrator"
    )]
    ChangedMeanwhile(String),
    /// A hash that none is.
    #[error(
        "{0:?}: the hash is none of Harbor's; each line is {{\"name\", \"password\", \"salt\", \"password_version\"}}"
    )]
    Foreign(String),
    /// A time that makes no sense.
    #[error("give at least one day")]
    NoDays,
    /// A time longer than allowed.
    #[error("{what}s may live for {most} days, not {days}; give less, or raise {key}")]
    TooLong {
        /// What was to live so long.
        what: &'static str,
        /// Days asked for.
        days: u32,
        /// Days allowed.
        most: u32,
        /// The key that says so.
        key: &'static str,
    },
    /// No end, where one is asked for.
    #[error("a robot must end within {most} days; say when, or set access.robots.max_days to 0")]
    ForEver {
        /// Days allowed.
        most: u32,
    },
    /// Policies that can't be read.
    #[error("policies: {0}")]
    Policies(String),
    /// A robot of a project that would reach out of it.
    #[error("a robot of project {project} can't reach {resource:?}; name resources below project/{project}")]
    Outside {
        /// The project.
        project: String,
        /// What it would reach.
        resource: String,
    },
    /// More than whoever makes the robot may do.
    #[error("a robot may do no more than whoever makes it: {0}")]
    Beyond(String),
    /// No key to seal secrets with.
    #[error("secrets can't be sealed: {0}")]
    Seal(String),
    /// A password that somebody else chose, and that its owner has not changed yet.
    #[error("the password of {0:?} must be changed first")]
    MustChange(String),
    /// There are as many as there may be.
    #[error("there are {most} {what} already, and no more are made; delete some first")]
    Full {
        /// Of what.
        what: &'static str,
        /// How many.
        most: usize,
    },
    /// A second factor that is there, or is not.
    #[error("{0}")]
    Factor(&'static str),
    /// A code of the second factor that is wrong, or was used before.
    #[error("the code is wrong, or was used before; wait for the next one")]
    Code,
    /// Whoever asked did not prove to be the user.
    #[error(transparent)]
    Unproved(#[from] Unauthenticated),
    /// A password that can't be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// No random numbers.
    #[error("no random numbers from the system: {0}")]
    Random(String),
    /// Too many passwords wait to be hashed.
    #[error("too many passwords wait to be hashed; try again in a few seconds")]
    Busy,
    /// The catalog can't be reached now.
    #[error("{0}")]
    Catalog(String),
    /// The catalog could not do it, and won't if asked again.
    #[error("{0}")]
    Broken(String),
    /// The catalog has moved to another database.
    #[error("{MOVED}")]
    Moved,
    /// There is none, so there are no accounts.
    #[error("there is no catalog that could hold accounts")]
    NoCatalog,
}

impl From<berth_catalog::Error> for Error {
    fn from(error: berth_catalog::Error) -> Self {
        use berth_catalog::Error as E;
        match error {
            E::Busy | E::Unavailable(_) | E::Crowded(_) | E::Unknown => Self::Catalog(error.to_string()),
            E::Moved => Self::Moved,
            error => Self::Broken(error.to_string()),
        }
    }
}

impl From<getrandom::Error> for Error {
    fn from(error: getrandom::Error) -> Self {
        Self::Random(error.to_string())
    }
}

/// When something that was right ended, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {why} at {}; {advice}", at.round(jiff::Unit::Second).unwrap_or(*at))]
pub struct Ended {
    /// Whose it was.
    pub who: Identity,
    /// What ended, with its name.
    pub what: String,
    /// What happened to it.
    pub why: &'static str,
    /// When.
    pub at: Timestamp,
    /// What to do.
    pub advice: &'static str,
}
