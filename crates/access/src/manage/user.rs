//! Accounts, and what is done to them: by their owners, or by others who may do no less than they could.

use berth_catalog::account::{self, Account};
use berth_catalog::binding::Kind;

use super::{ManageError, Management, Result, awaited, last};
use crate::account::{NewUser, delete_user, insert_user, tell_account};
use crate::action::Action;
use crate::caller::{Caller, Identity, Proof};
use crate::part;
use crate::resource::Resource;
use crate::snapshot::Reach;

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

/// A change of one's own password. No Debug: it would print them.
#[derive(Clone, Copy)]
pub struct PasswordChange<'a> {
    /// Whose.
    pub name: &'a str,
    /// The present one, which proves who it is.
    pub old: &'a str,
    /// The next.
    pub new: &'a str,
    /// A code of the second factor, where there is one.
    pub code: Option<&'a str>,
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
    pub async fn create_user(&self, caller: &Caller, mut new: NewUser) -> Result<Account> {
        Self::in_person(caller)?;
        self.access.require(caller, Action::Create, USERS)?;
        new.display_name = written(new.display_name, None)?;
        new.email = written(new.email, None)?;
        let row = self.accounts.user_to_make(new).await?;
        self.name_in_logs(&row.name).await;
        let (access, caller, now) = (self.access.clone(), caller.clone(), self.access.now());
        self.change(async move |tx| {
            awaited::refuse(tx, &access, &caller, Kind::User, &row.name).await?;
            insert_user(tx, &row, &caller.author(), now).await?;
            account::find(tx, &row.name).await?.ok_or(ManageError::Hidden)
        })
        .await
    }

    /// Changes what is known of a person, or whether the account can be used. What is known of oneself everybody may change.
    pub async fn change_user(&self, caller: &Caller, name: &str, change: UserChange) -> Result<Account> {
        Self::in_person(caller)?;
        self.user(caller, name).await?;
        if !self.is_own(caller, name) || change.disabled.is_some() {
            self.access.require(caller, Action::Update, USERS)?;
        }
        if change.disabled.is_some() {
            self.mind(caller, name, Action::Update, Reach::System).await?;
        }
        self.name_in_logs(name).await;
        let guard = last::Guard::before(&self.access);
        let (by, now, name) = (caller.author(), self.access.now(), name.to_owned());
        self.change(async move |tx| {
            let found = account::find(tx, &name).await?.ok_or(ManageError::Hidden)?;
            let display_name = written(change.display_name.clone(), found.display_name.clone())?;
            let email = written(change.email.clone(), found.email.clone())?;
            if display_name != found.display_name || email != found.email {
                account::set_profile(tx, found.id, display_name.as_deref(), email.as_deref()).await?;
                tell_account(tx, (found.id, &name), "profile changed", &by, now).await?;
            }
            if let Some(disabled) =
                change.disabled.filter(|disabled| *disabled != found.disabled_at.is_some())
            {
                account::set_disabled(tx, found.id, disabled, now).await?;
                guard.after(tx).await?;
                let what = if disabled { "disabled" } else { "enabled" };
                tell_account(tx, (found.id, &name), what, &by, now).await?;
            }
            account::find_by_id(tx, found.id).await?.ok_or(ManageError::Hidden)
        })
        .await
    }

    /// Deletes an account, its passwords and the roles of its name.
    pub async fn delete_user(&self, caller: &Caller, name: &str) -> Result<()> {
        self.mind(caller, name, Action::Delete, Reach::System).await?;
        self.name_in_logs(name).await;
        let guard = last::Guard::before(&self.access);
        let (by, now, name) = (caller.author(), self.access.now(), name.to_owned());
        self.change(async move |tx| {
            let found = account::find(tx, &name).await?.ok_or(ManageError::Hidden)?;
            delete_user(tx, &found, &by, now).await?;
            guard.after(tx).await
        })
        .await
    }

    /// Sets a password that somebody else chose. Whoever does that could log in with it, so it takes as much as the user may do.
    pub async fn reset_password(&self, caller: &Caller, name: &str, password: &str) -> Result<()> {
        self.mind(caller, name, Action::Administer, Reach::Everywhere).await?;
        self.accounts.reset_password(name, password, false, &caller.author()).await?;
        self.heed().await;
        Ok(())
    }

    /// Asks a user for no second factor any more.
    pub async fn remove_factor(&self, caller: &Caller, name: &str) -> Result<()> {
        let account = self.mind(caller, name, Action::Administer, Reach::Everywhere).await?;
        if account.totp.is_some() {
            self.accounts.disable_totp(name, &caller.author()).await?;
            self.heed().await;
        }
        Ok(())
    }

    /// Forgets that passwords were wrong.
    pub async fn unlock_user(&self, caller: &Caller, name: &str) -> Result<()> {
        let account = self.mind(caller, name, Action::Update, Reach::System).await?;
        if account.failures > 0 || account.locked_until.is_some() {
            self.accounts.unlock_user(name, &caller.author()).await?;
        }
        Ok(())
    }

    /// Ends all sessions and tokens of a user, also of one of the configuration; everybody may do that for themselves.
    pub async fn log_out_everywhere(&self, caller: &Caller, name: &str) -> Result<()> {
        Self::in_person(caller)?;
        if !is_named(caller, name) {
            self.weigh(caller, name, Action::Update, Reach::System).await?;
            if !self.accounts.is_configured(name) {
                self.account(name).await?;
            }
        }
        self.name_in_logs(name).await;
        self.accounts.log_out_everywhere(name, &caller.author()).await?;
        self.heed().await;
        Ok(())
    }

    /// Lets somebody change the own password, also where nothing else is allowed before that: the old one proves who it is.
    pub async fn change_own_password(&self, caller: &Caller, change: PasswordChange<'_>) -> Result<()> {
        let PasswordChange { name, old, new, code } = change;
        // As whom the old password proves: the event says who did it.
        let user = Caller::new(Identity::User(name.into()), Proof::Password);
        let user = caller.origin().map_or(user.clone(), |origin| user.from(std::sync::Arc::clone(origin)));
        // Nobody gets a name in logs by giving it: it may be a password in the wrong field.
        let author = if self.accounts.user(name).await.is_ok() {
            let user = self.access.name_in_logs(user).await;
            Self::named(&user)?;
            user.author()
        } else {
            Caller::anonymous().author()
        };
        self.accounts.change_password(name, old, new, code, &author).await?;
        self.heed().await;
        Ok(())
    }

    pub(super) async fn account(&self, name: &str) -> Result<Account> {
        Ok(self.accounts.user(name).await?)
    }

    /// Tells whether an account is the caller's, who came as more than a token for repositories. One that has the name of a user of
    /// the configuration is nobody's.
    pub(super) fn is_own(&self, caller: &Caller, name: &str) -> bool {
        caller.scope().is_none() && is_named(caller, name) && !self.accounts.is_configured(name)
    }

    /// Sees that a caller may do something to an account, and may itself do no less than its owner could.
    async fn mind(&self, caller: &Caller, name: &str, action: Action, reach: Reach) -> Result<Account> {
        self.weigh(caller, name, action, reach).await?;
        self.account(name).await
    }

    /// Sees that a caller may do something to a user, and may itself do no less than the user could: to the system, which is enough to
    /// stop somebody, or everywhere, for who can act as somebody.
    pub(super) async fn weigh(
        &self,
        caller: &Caller,
        name: &str,
        action: Action,
        reach: Reach,
    ) -> Result<()> {
        Self::in_person(caller)?;
        self.see(caller, &USERS)?;
        self.access.require(caller, action, USERS)?;
        let owner = Identity::User(name.into());
        if is_named(caller, name) || self.access.is_no_less(caller, owner, reach).await? {
            return Ok(());
        }
        Err(ManageError::Mightier { name: name.to_owned() })
    }

    /// Sees that logs have a name for a person, before a unit of work is to say to whom something was done.
    async fn name_in_logs(&self, name: &str) {
        self.access.name_in_logs(Caller::user(name)).await;
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
