//! Whether somebody to whom a token or a session was issued still stands, and if not, why.

use std::collections::HashSet;
use std::sync::Arc;

use berth_catalog::account::Source;
use berth_catalog::standing::{self, Account as Standing};
use jiff::Timestamp;

use super::{Snapshot, intern, read};
use crate::caller::{Caller, Identity, Proof};
use crate::evidence::Evidence;
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
    /// The secret that proved it was revoked, or has ended.
    #[error("the password or secret that it was issued for ended at {0}; log in with another")]
    Withdrawn(Timestamp),
    /// The password stands in the configuration, and is another now; or the name is another's.
    #[error("the password, or whose name it is, has changed; log in again")]
    Changed,
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
                None => self.rules.users.contains_key(name),
            },
            Identity::Robot(name) => self.robots.contains_key(&**name),
            _ => false,
        }
    }

    /// Tells whether somebody to whom something was issued at a moment, such as a token or a session, still stands, and so does the
    /// secret that proved it.
    pub(crate) fn stands(&self, caller: &Caller, issued_at: Timestamp, now: Timestamp) -> Result<(), Gone> {
        let identity = caller.identity();
        self.is_whole(identity, now)?;
        let ends_at = caller.evidence().and_then(Evidence::secret).and_then(|id| self.ended.get(&id));
        if let Some(at) = ends_at.filter(|at| **at <= now) {
            return Err(Gone::Withdrawn(*at));
        }
        let since = match identity {
            Identity::User(name) => match self.rules.users.get(name) {
                Some(fingerprint) => self.of_configured(caller, name, fingerprint)?,
                None => self.of_account(caller, name, issued_at)?,
            },
            Identity::Robot(name) => match self.robots.get(&**name) {
                Some(robot) => Some(robot.valid_after),
                None if issued_at > self.at => None,
                None => return Err(Gone::Deleted),
            },
            Identity::Anonymous | Identity::Workload(_) | Identity::Work(_) => None,
        };
        match since {
            Some(since) if issued_at < since => Err(Gone::Revoked(since)),
            _ => Ok(()),
        }
    }

    /// Returns since when what a user of the configuration proved counts, if not always. An account of the same name proved nothing.
    fn of_configured(
        &self,
        caller: &Caller,
        name: &str,
        fingerprint: &str,
    ) -> Result<Option<Timestamp>, Gone> {
        let proved = caller.evidence().and_then(Evidence::fingerprint);
        let is_it = match caller.proof() {
            Proof::Certificate => true,
            _ => proved == Some(fingerprint),
        };
        if is_it { Ok(self.logouts.get(name).copied()) } else { Err(Gone::Changed) }
    }

    /// Returns since when what a user with an account proved counts; none of somebody new.
    fn of_account(
        &self,
        caller: &Caller,
        name: &str,
        issued_at: Timestamp,
    ) -> Result<Option<Timestamp>, Gone> {
        match self.accounts.get(name) {
            // Who had the name stood in the configuration.
            _ if caller.evidence().and_then(Evidence::fingerprint).is_some() => Err(Gone::Deleted),
            Some(account) => Ok(Some(account.valid_after)),
            // Who issued it since this was read may have heard of somebody new.
            None if issued_at > self.at => Ok(None),
            None => Err(Gone::Deleted),
        }
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
