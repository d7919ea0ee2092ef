//! Whether anybody who can log in may say who may do what.

use jiff::Timestamp;

use super::Snapshot;
use crate::action::Action;
use crate::caller::{Caller, Identity, Proof};
use crate::part;
use crate::resource::Resource;

impl Snapshot {
    /// Tells whether a user who can log in may say who may do what, by all rules together. Robots don't count: nobody logs in as one
    /// to mend what is locked.
    pub(crate) fn somebody_administers(&self, now: Timestamp) -> bool {
        let access = Resource::System(part::ACCESS);
        let administers = |name: &str| {
            let user = Caller::new(Identity::User(name.into()), Proof::None);
            self.roles_grant(&user, &access, now).has(Action::Administer)
        };
        self.rules.users.keys().any(|name| administers(name))
            || self
                .accounts
                .iter()
                .any(|(name, account)| account.can_log_in(self.rules.is_federated) && administers(name))
    }
}
