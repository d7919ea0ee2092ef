//! What is done to accounts, by their owners and by others.

use berth_catalog::account::{self, Account, AccountId, New, Source};
use berth_catalog::event::{self, Author, Kind, NewEvent};
use berth_catalog::{Hidden, Tx, binding, logout, old_password, subject};
use jiff::Timestamp;
use serde_json::json;
use tokio::time::Instant;

use super::hash::HARBOR;
use super::name::user_name_problem;
use super::{Accounts, Error, Purpose};
use crate::admin::take_away;
use crate::federation::REFUSAL;

/// An account to make. It has no field that gives a right: those come by bindings alone.
#[derive(Clone)]
pub struct NewUser {
    /// The name to log in with.
    pub name: String,
    /// The person's name.
    pub display_name: Option<String>,
    /// The person's address.
    pub email: Option<String>,
    /// The first password.
    pub password: String,
    /// Whether the person chose it: else it is to be changed first, if the rules say so.
    pub own_choice: bool,
}

/// What is known of a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// The person's name.
    pub display_name: Option<String>,
    /// The person's address.
    pub email: Option<String>,
}

pub(super) fn event_of(kind: Kind, by: &Author, detail: serde_json::Value, at: Timestamp) -> NewEvent {
    let id = uuid::Uuid::new_v4();
    NewEvent { id, at, kind, repository: None, tag: None, digest: None, author: by.clone(), detail }
}

/// Notes what was done to which account, and how logs name its person: an id alone may be another's later.
pub(crate) async fn tell_account(
    tx: &mut Tx,
    (id, name): (AccountId, &str),
    change: &str,
    by: &Author,
    at: Timestamp,
) -> berth_catalog::Result<()> {
    tell_person(tx, name, json!({ "change": change, "account": id.0 }), by, at).await
}

/// Notes something of a person, by the name that logs have for it: no other is written down.
async fn tell_person(
    tx: &mut Tx,
    name: &str,
    mut detail: serde_json::Value,
    by: &Author,
    at: Timestamp,
) -> berth_catalog::Result<()> {
    if let Some(person) = subject::find(tx, name).await? {
        detail["person"] = person.pseudonym.into();
    }
    event::append(tx, event_of(Kind::AccountChanged, by, detail, at)).await;
    Ok(())
}

/// Makes an account in a unit of work.
pub(crate) async fn insert_user(
    tx: &mut Tx,
    row: &New,
    by: &Author,
    now: Timestamp,
) -> Result<AccountId, Error> {
    let id = account::insert(tx, row, now).await?.ok_or_else(|| Error::Taken(row.name.clone()))?;
    tell_account(tx, (id, &row.name), "created", by, now).await?;
    Ok(id)
}

/// Deletes an account in a unit of work, and the roles that its name has.
pub(crate) async fn delete_user(
    tx: &mut Tx,
    account: &Account,
    by: &Author,
    now: Timestamp,
) -> berth_catalog::Result<()> {
    take_away(tx, binding::Kind::User, &account.name, by, now).await?;
    account::delete(tx, account.id).await?;
    tell_account(tx, (account.id, &account.name), "deleted", by, now).await
}

/// By whom a password is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// By the account's owner, in place of one that was proved.
    Own,
    /// By somebody else, whatever it was.
    Reset {
        /// Whether it is to be changed first.
        must_change: bool,
    },
}

/// Tells whether an account has the password that it had: the same hash, or what came of one of Harbor's at its first use.
fn has_the_same(proved: &Account, now: &Account) -> bool {
    let was_harbors = proved.password.as_ref().is_some_and(|hash| hash.starts_with(HARBOR));
    proved.password_changed_at == now.password_changed_at && (was_harbors || proved.password == now.password)
}

impl Accounts {
    /// Makes an account.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Taken`], and [`Error::Weak`] for a password against the rules.
    pub async fn create_user(&self, new: NewUser, by: &Author) -> Result<AccountId, Error> {
        let (row, by, now) = (self.user_to_make(new).await?, by.clone(), self.now());
        self.change(async move |tx| insert_user(tx, &row, &by, now).await).await
    }

    /// Checks an account that is to be made, and hashes its password.
    pub(crate) async fn user_to_make(&self, new: NewUser) -> Result<New, Error> {
        if let Some(problem) = user_name_problem(&new.name) {
            return Err(Error::Name { name: new.name, problem });
        }
        if self.is_configured(&new.name) {
            return Err(Error::Taken(new.name));
        }
        self.0.rules.passwords.check(&new.name, &new.password)?;
        let hash = self.hash(&new.password).await?;
        Ok(New {
            name: new.name,
            source: Source::Local,
            external: None,
            display_name: new.display_name,
            email: new.email,
            password: Some(Hidden::new(hash.as_str().to_owned())),
            must_change: !new.own_choice && self.0.rules.passwords.change_first,
            groups: Vec::new(),
        })
    }

    /// Finds an account.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub async fn user(&self, name: &str) -> Result<Account, Error> {
        let found = self.0.catalog.read(async |r| account::find(r, name).await).await?;
        found.ok_or_else(|| Error::Unknown { what: "user", name: name.to_owned() })
    }

    /// Lists accounts in the order of their names, behind `after`.
    pub async fn users(&self, after: &str, limit: usize) -> Result<Vec<Account>, Error> {
        Ok(self.0.catalog.read(async |r| account::list(r, after, limit).await).await?)
    }

    /// Sets what is known of a person.
    pub async fn set_profile(&self, name: &str, profile: Profile, by: &Author) -> Result<(), Error> {
        self.on(name, "profile changed", by, async move |tx, id, _| {
            account::set_profile(tx, id, profile.display_name.as_deref(), profile.email.as_deref()).await
        })
        .await
    }

    /// Disables an account, which ends all that was proved by it, or enables it again.
    pub async fn disable_user(&self, name: &str, disabled: bool, by: &Author) -> Result<(), Error> {
        let change = if disabled { "disabled" } else { "enabled" };
        self.on(name, change, by, async move |tx, id, now| account::set_disabled(tx, id, disabled, now).await)
            .await
    }

    /// Forgets that passwords were wrong.
    pub async fn unlock_user(&self, name: &str, by: &Author) -> Result<(), Error> {
        self.on(name, "unlocked", by, async |tx, id, _| account::unlock(tx, id).await).await
    }

    /// Ends all sessions and tokens of an account, or of a user of the configuration.
    pub async fn log_out_everywhere(&self, name: &str, by: &Author) -> Result<(), Error> {
        if self.is_configured(name) {
            let (name, by, now) = (name.to_owned(), by.clone(), self.now());
            let unit = async move |tx: &mut Tx| {
                logout::set(tx, &name, now).await?;
                let detail = json!({ "change": "logged out everywhere", "configured": true });
                Ok(tell_person(tx, &name, detail, &by, now).await?)
            };
            return self.change(unit).await;
        }
        let unit = async |tx: &mut Tx, id, now| account::set_valid_after(tx, id, now).await;
        self.on(name, "logged out everywhere", by, unit).await
    }

    /// Deletes an account, its passwords and the roles that its name has.
    pub async fn delete_user(&self, name: &str, by: &Author) -> Result<(), Error> {
        let (name, by, now) = (name.to_owned(), by.clone(), self.now());
        self.change(async move |tx| {
            let found = account::find(tx, &name).await?;
            let found = found.ok_or_else(|| Error::Unknown { what: "user", name: name.clone() })?;
            Ok(delete_user(tx, &found, &by, now).await?)
        })
        .await
    }

    /// Sets a password that somebody else chose; the account's owner must change it first, if the rules say so.
    ///
    /// # Errors
    /// [`Error::Weak`] and [`Error::Reused`] for one against the rules, [`Error::Elsewhere`].
    pub async fn reset_password(
        &self,
        name: &str,
        password: &str,
        own_choice: bool,
        by: &Author,
    ) -> Result<(), Error> {
        let account = self.user(name).await?;
        let must_change = !own_choice && self.0.rules.passwords.change_first;
        self.set_password(account, password, Change::Reset { must_change }, by).await
    }

    /// Lets an account's owner change the password, also where nothing else is allowed before that.
    ///
    /// # Errors
    /// [`Error::Unproved`] unless `old`, and `code` if there is a second factor, are right; [`Error::Weak`] and [`Error::Reused`];
    /// [`Error::ChangedMeanwhile`].
    pub async fn change_password(
        &self,
        name: &str,
        old: &str,
        new: &str,
        code: Option<&str>,
        by: &Author,
    ) -> Result<(), Error> {
        let even = Instant::now() + REFUSAL;
        let proven = self.person(name, old.as_bytes(), Purpose::Change(code), None).await;
        // As at a login: else it would tell who has an account here, and whom the directory refused.
        self.even_out(even, &proven).await;
        let (account, _) = proven?;
        if old == new {
            return Err(Error::Reused(self.0.rules.passwords.history.max(1)));
        }
        self.set_own_password(account, new, by).await
    }

    /// Sets the password of an account whose present one was proved, unless it was changed since: somebody may have reset it against
    /// whoever proved it.
    pub(crate) async fn set_own_password(
        &self,
        proved: Account,
        new: &str,
        by: &Author,
    ) -> Result<(), Error> {
        self.set_password(proved, new, Change::Own, by).await
    }

    async fn set_password(
        &self,
        account: Account,
        password: &str,
        change: Change,
        by: &Author,
    ) -> Result<(), Error> {
        if account.source != Source::Local {
            return Err(Error::Elsewhere(account.name));
        }
        let rules = &self.0.rules.passwords;
        rules.check(&account.name, password)?;
        let (id, history) = (account.id, rules.history);
        if history > 0 {
            // The present one is one of them.
            let old = self.0.catalog.read(async |r| old_password::list(r, id, history - 1).await).await?;
            if self.is_one_of(password, account.password.iter().cloned().chain(old).collect()).await? {
                return Err(Error::Reused(history));
            }
        }
        let hash = self.hash(password).await?;
        let (by, now) = (by.clone(), self.now());
        self.change(async move |tx| {
            let name = &account.name;
            // Hashing takes a while.
            let Some(before) = account::find_by_id(tx, id).await? else {
                return Err(Error::Unknown { what: "user", name: name.clone() });
            };
            if change == Change::Own && !has_the_same(&account, &before) {
                return Err(Error::ChangedMeanwhile(name.clone()));
            }
            if let Some(before) = before.password.as_ref().filter(|_| history > 0) {
                old_password::remember(tx, id, before, history, now).await?;
            }
            let (change, must_change) = match change {
                Change::Own => ("password changed", false),
                Change::Reset { must_change } => ("password reset", must_change),
            };
            account::set_password(tx, id, hash.as_str(), must_change, now).await?;
            Ok(tell_account(tx, (id, name), change, &by, now).await?)
        })
        .await
    }

    /// Changes an account that must be there.
    pub(super) async fn on(
        &self,
        name: &str,
        change: &'static str,
        by: &Author,
        unit: impl AsyncFn(&mut Tx, AccountId, Timestamp) -> berth_catalog::Result<()> + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let (name, by, now) = (name.to_owned(), by.clone(), self.now());
        self.change(async move |tx| {
            let Some(found) = account::find(tx, &name).await? else {
                return Err(Error::Unknown { what: "user", name: name.clone() });
            };
            unit(tx, found.id, now).await?;
            Ok(tell_account(tx, (found.id, &name), change, &by, now).await?)
        })
        .await
    }
}
