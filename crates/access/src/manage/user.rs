use berth_catalog::account::{self, Account, AccountId};
use berth_catalog::{Tx, event};
use jiff::Timestamp;

use super::{ManageError, Management, Result, last};
use crate::account::{Error as AccountError, NewUser, Profile};
use crate::action::Action;
use crate::caller::{Caller, Identity, Proof};
use crate::part;
use crate::policy::Subject;
use crate::resource::Resource;

const USERS: Resource<'static> = Resource::System(part::USERS);

/// What may change about a user whom others manage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserChange {
    /// The person's name; empty for none.
    pub display_name: Option<String>,
    /// The person's address; empty for none.
    pub email: Option<String>,
    /// Whether the account can't be used.
    pub disabled: Option<bool>,
}

impl Management {
    /// Finds an account; everybody may look at their own.
    async fn user(&self, caller: &Caller, name: &str) -> Result<Account> {
        if !self.is_own(caller, name) {
            self.see(caller, &USERS)?;
        }
        self.account(name).await
    }

    /// Makes an account. It has no rights but those that everybody has who logs in.
    pub async fn create_user(&self, caller: &Caller, new: NewUser) -> Result<Account> {
        Self::in_person(caller)?;
        self.access.require(caller, Action::Create, USERS)?;
        let new = NewUser {
            display_name: written(new.display_name, None)?,
            email: written(new.email, None)?,
            ..new
        };
        let name = new.name.clone();
        // Who makes the account knows its first password, and so would get what waits for the name.
        let awaited = Subject::new(berth_catalog::binding::Kind::User, &name)
            .is_ok_and(|subject| self.access.is_bound(&subject));
        if awaited && self.access.may_grant(caller, None, None).is_err() {
            return Err(ManageError::Awaited { name });
        }
        self.accounts.create_user(new, &caller.author()).await?;
        self.heed().await;
        self.account(&name).await
    }

    /// Changes what is known of a person, or whether the account can be used. What is known of oneself everybody may change.
    pub async fn change_user(&self, caller: &Caller, name: &str, change: UserChange) -> Result<Account> {
        Self::in_person(caller)?;
        let account = self.user(caller, name).await?;
        if !self.is_own(caller, name) || change.disabled.is_some() {
            self.access.require(caller, Action::Update, USERS)?;
        }
        if change.display_name.is_some() || change.email.is_some() {
            let profile = Profile {
                display_name: written(change.display_name, account.display_name)?,
                email: written(change.email, account.email)?,
            };
            self.accounts.set_profile(name, profile, &caller.author()).await?;
        }
        if let Some(disabled) = change.disabled {
            let what = if disabled { "disabled" } else { "enabled" };
            self.on_user(caller, name, what, async move |tx, id, now| {
                account::set_disabled(tx, id, disabled, now).await
            })
            .await?;
        }
        self.account(name).await
    }

    /// Deletes an account, its passwords and the roles of its name.
    pub async fn delete_user(&self, caller: &Caller, name: &str) -> Result<()> {
        Self::in_person(caller)?;
        self.see(caller, &USERS)?;
        self.access.require(caller, Action::Delete, USERS)?;
        self.on_user(caller, name, "deleted", async |tx, id, _| account::delete(tx, id).await).await
    }

    /// Sets a password that somebody else chose. Whoever does that could log in with it, so it takes as much as the user may do to
    /// the system.
    pub async fn reset_password(&self, caller: &Caller, name: &str, password: &str) -> Result<()> {
        self.mind(caller, name, Action::Administer).await?;
        self.accounts.reset_password(name, password, false, &caller.author()).await?;
        self.heed().await;
        Ok(())
    }

    /// Asks a user for no second factor any more.
    pub async fn remove_factor(&self, caller: &Caller, name: &str) -> Result<()> {
        self.mind(caller, name, Action::Administer).await?;
        self.accounts.disable_totp(name, &caller.author()).await?;
        self.heed().await;
        Ok(())
    }

    /// Forgets that passwords were wrong.
    pub async fn unlock_user(&self, caller: &Caller, name: &str) -> Result<()> {
        self.mind(caller, name, Action::Update).await?;
        Ok(self.accounts.unlock_user(name, &caller.author()).await?)
    }

    /// Ends all sessions and tokens of a user, also of one of the configuration; everybody may do that for themselves.
    pub async fn log_out_everywhere(&self, caller: &Caller, name: &str) -> Result<()> {
        Self::in_person(caller)?;
        if !is_named(caller, name) {
            self.mind(caller, name, Action::Update).await?;
        }
        self.accounts.log_out_everywhere(name, &caller.author()).await?;
        self.heed().await;
        Ok(())
    }

    /// Lets somebody change the own password, also where nothing else is allowed before that: the old one proves who it is.
    pub async fn change_own_password(
        &self,
        caller: &Caller,
        name: &str,
        old: &str,
        new: &str,
        code: Option<&str>,
    ) -> Result<()> {
        // As whom the old password proves: the event says who did it.
        let user = Caller::new(Identity::User(name.into()), Proof::Password);
        let user = caller.origin().map_or(user.clone(), |origin| user.from(std::sync::Arc::clone(origin)));
        let user = self.access.name_in_logs(user).await;
        self.accounts.change_password(name, old, new, code, &user.author()).await?;
        self.heed().await;
        Ok(())
    }

    pub(super) async fn account(&self, name: &str) -> Result<Account> {
        match self.accounts.user(name).await {
            Err(AccountError::Unknown { .. }) => Err(ManageError::Hidden),
            other => Ok(other?),
        }
    }

    /// Tells whether an account is the caller's. One that has the name of a user of the configuration is nobody's.
    pub(super) fn is_own(&self, caller: &Caller, name: &str) -> bool {
        is_named(caller, name) && !self.accounts.is_configured(name)
    }

    /// Sees that a caller may do something to an account, and is no less to the system than its owner.
    async fn mind(&self, caller: &Caller, name: &str, action: Action) -> Result<()> {
        Self::in_person(caller)?;
        self.see(caller, &USERS)?;
        self.access.require(caller, action, USERS)?;
        if !self.accounts.is_configured(name) {
            self.account(name).await?;
        }
        let owner = Caller::new(Identity::User(name.into()), Proof::None);
        let mightier = part::ALL.into_iter().any(|part| {
            let (theirs, ours) = (
                self.access.granted(&owner, &Resource::System(part)),
                self.access.granted(caller, &Resource::System(part)),
            );
            theirs.and(ours) != theirs
        });
        if mightier && !is_named(caller, name) {
            return Err(ManageError::Mightier { name: name.to_owned() });
        }
        Ok(())
    }

    /// Changes an account that must be there, unless nobody would be left who may say who may do what.
    async fn on_user(
        &self,
        caller: &Caller,
        name: &str,
        what: &'static str,
        unit: impl AsyncFn(&mut Tx, AccountId, Timestamp) -> berth_catalog::Result<()> + Send + Sync + 'static,
    ) -> Result<()> {
        let (rules, by, now, name) =
            (self.access.rules(), caller.author(), self.access.now(), name.to_owned());
        self.change(async move |tx| {
            let found = account::find(tx, &name).await?.ok_or(ManageError::Hidden)?;
            let guard = last::Guard::before(tx, &rules).await?;
            let event = crate::account::named_event(tx, (found.id, &name), what, &by, now).await?;
            unit(tx, found.id, now).await?;
            guard.after(tx, &rules).await?;
            event::append(tx, event).await;
            Ok(())
        })
        .await
    }
}

pub(super) fn is_named(caller: &Caller, name: &str) -> bool {
    matches!(caller.identity(), Identity::User(own) if **own == *name)
}

/// What a field becomes: as it was if nothing is said of it, none if it is empty.
fn written(said: Option<String>, was: Option<String>) -> Result<Option<String>> {
    match said {
        None => Ok(was),
        Some(text) if text.is_empty() => Ok(None),
        Some(text) if text.len() > 256 || text.chars().any(char::is_control) => {
            Err(ManageError::Invalid("use at most 256 bytes, no control characters".to_owned()))
        }
        Some(text) => Ok(Some(text)),
    }
}
