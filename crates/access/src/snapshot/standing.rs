use std::collections::HashSet;
use std::sync::Arc;

use berth_catalog::account::Source;
use berth_catalog::standing::{self, Account as Standing};
use jiff::Timestamp;

use super::{Snapshot, intern, read};
use crate::caller::Identity;
use crate::policy::Held;

/// Why somebody who proved who it is gets nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Gone {
    /// There is no such user or robot any more.
    #[error("the account has been deleted; log in as somebody else")]
    Deleted,
    /// An administrator disabled it.
    #[error("the account has been disabled since {0}; ask the administrator to enable it")]
    Disabled(Timestamp),
    /// A robot's time is over.
    #[error("the robot's time ended at {0}; ask its owner to extend it")]
    Expired(Timestamp),
    /// What was proved before a moment counts no more: the password was changed, or somebody ended all sessions.
    #[error("what was issued before {0} has been revoked; log in again")]
    Revoked(Timestamp),
}

/// How a user's account stands.
#[derive(Debug)]
pub(super) struct Account {
    source: Source,
    disabled_at: Option<Timestamp>,
    /// Whether nothing is allowed before a change of the password, or before the service that vouches for the user does so again.
    waits: bool,
    valid_after: Timestamp,
    /// As of the last login: who left a group has left it on tokens that are out, too.
    pub(super) groups: Box<[Arc<str>]>,
}

/// How a robot stands, and what it holds by itself.
#[derive(Debug)]
pub(super) struct Robot {
    disabled_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    valid_after: Timestamp,
    pub(super) held: Held,
}

impl Account {
    pub(super) fn read(mut stored: Standing) -> (Box<str>, Self) {
        let name = std::mem::take(&mut stored.name);
        let groups = serde_json::from_str::<Vec<String>>(&stored.member_of).unwrap_or_else(|error| {
            tracing::error!(user = name, %error, "the groups of a user can't be read: it has none");
            Vec::new()
        });
        let groups = groups.into_iter().map(Into::into).collect();
        let Standing { source, disabled_at, must_change: waits, valid_after, .. } = stored;
        let account = Self { source, disabled_at, waits, valid_after, groups };
        (name.into(), account)
    }

    /// Tells whether its owner can log in, after a change of the password at most.
    pub(super) fn can_log_in(&self, others_vouch: bool) -> bool {
        self.disabled_at.is_none() && (self.source == Source::Local || (others_vouch && !self.waits))
    }
}

impl Robot {
    pub(super) fn read(stored: standing::Robot, projects: &mut HashSet<Arc<str>>) -> (Box<str>, Self) {
        let mut held = Held::default();
        let role = Arc::new(read(format!("of {}", stored.name).into(), &stored.policies));
        let project = (!stored.project.is_empty()).then(|| intern(projects, &stored.project));
        held.add(&role, project.as_ref());
        let robot = Self {
            disabled_at: stored.disabled_at,
            expires_at: stored.expires_at,
            valid_after: stored.valid_after,
            held,
        };
        (stored.name.into(), robot)
    }
}

impl Snapshot {
    /// Tells whether there is a user or robot that may prove who it is without a secret of Berth's.
    pub(crate) fn knows(&self, identity: &Identity) -> bool {
        match identity {
            Identity::User(name) => match self.accounts.get(&**name) {
                Some(account) => !account.waits,
                None => self.users.contains(name),
            },
            Identity::Robot(name) => self.robots.contains_key(&**name),
            _ => false,
        }
    }

    /// Tells whether somebody to whom something was issued at a moment, such as a token or a session, still stands.
    pub(crate) fn stands(
        &self,
        identity: &Identity,
        issued_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), Gone> {
        self.is_whole(identity, now)?;
        let since = match identity {
            Identity::User(name) => match self.accounts.get(&**name) {
                Some(account) => account.valid_after,
                None if self.users.contains(name) => return Ok(()),
                // Who issued it since this was read may have heard of somebody new.
                None if issued_at > self.at => return Ok(()),
                None => return Err(Gone::Deleted),
            },
            Identity::Robot(name) => match self.robots.get(&**name) {
                Some(robot) => robot.valid_after,
                None if issued_at > self.at => return Ok(()),
                None => return Err(Gone::Deleted),
            },
            Identity::Anonymous | Identity::Workload(_) | Identity::Work(_) => return Ok(()),
        };
        if issued_at < since { Err(Gone::Revoked(since)) } else { Ok(()) }
    }

    /// Tells whether an account is neither disabled nor over, whenever it was proved.
    pub(super) fn is_whole(&self, identity: &Identity, now: Timestamp) -> Result<(), Gone> {
        let (disabled_at, expires_at) = match identity {
            Identity::User(name) => {
                (self.accounts.get(&**name).and_then(|account| account.disabled_at), None)
            }
            Identity::Robot(name) => {
                self.robots.get(&**name).map_or((None, None), |robot| (robot.disabled_at, robot.expires_at))
            }
            Identity::Anonymous | Identity::Workload(_) | Identity::Work(_) => (None, None),
        };
        match (disabled_at, expires_at.filter(|end| *end <= now)) {
            (Some(since), _) => Err(Gone::Disabled(since)),
            (None, Some(end)) => Err(Gone::Expired(end)),
            (None, None) => Ok(()),
        }
    }
}
