//! Users, of the catalog and of the configuration.

use berth_catalog::account::Account;

use super::{Management, Result};
use crate::action::Action;
use crate::caller::Caller;
use crate::part;
use crate::resource::Resource;

const USERS: Resource<'static> = Resource::System(part::USERS);

/// Somebody who may have a password here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownUser {
    /// An account.
    Account(Box<Account>),
    /// A user of the configuration, whom calls can't change: by name.
    Configured(String),
}

impl KnownUser {
    /// The name to log in with.
    pub fn name(&self) -> &str {
        match self {
            Self::Account(account) => &account.name,
            Self::Configured(name) => name,
        }
    }
}

impl Management {
    /// Lists users in the order of their names, behind `after`. One of the configuration stands before an account of its name.
    pub async fn users(&self, caller: &Caller, after: &str, limit: usize) -> Result<Vec<KnownUser>> {
        self.access.require(caller, Action::List, USERS)?;
        let accounts = self.accounts.users(after, limit).await?;
        let rules = self.access.rules();
        let configured = rules.users.keys().filter(|name| ***name > *after);
        let mut known: Vec<_> = accounts
            .into_iter()
            .filter(|account| !rules.users.contains_key(account.name.as_str()))
            .map(|account| KnownUser::Account(Box::new(account)))
            .chain(configured.map(|name| KnownUser::Configured(name.to_string())))
            .collect();
        known.sort_by(|one, other| one.name().cmp(other.name()));
        known.truncate(limit);
        Ok(known)
    }

    /// Finds a user; everybody may look at their own.
    pub async fn known_user(&self, caller: &Caller, name: &str) -> Result<KnownUser> {
        // A token for repositories tells nothing of its owner.
        if caller.scope().is_some() || !super::user::is_named(caller, name) {
            self.see(caller, &USERS)?;
        }
        if self.accounts.is_configured(name) {
            return Ok(KnownUser::Configured(name.to_owned()));
        }
        Ok(KnownUser::Account(Box::new(self.account(name).await?)))
    }
}
