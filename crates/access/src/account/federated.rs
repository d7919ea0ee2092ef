//! Accounts of persons whom other services vouch for.

use std::sync::Arc;

use berth_catalog::account::{self, Account, New, Source};
use berth_catalog::event::Author;
use berth_catalog::{Error as CatalogError, Tx};
use jiff::Timestamp;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::admin::tell_account;
use super::prove::{unavailable, usable, wrong};
use super::{Accounts, Error};
use crate::caller::Proof;
use crate::error::{Cause, Unauthenticated};
use crate::federation::{self, Directory, LookedUp, Proven};
use crate::person::Persons;

/// What changes accounts as a directory says.
const DIRECTORY: &str = "system:directory";
/// What changes them as somebody's login says.
const LOGIN: &str = "system:login";

/// Accounts that are looked at together.
const PAGE: usize = 200;

/// What a look at everybody whom a directory vouches for has found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// Accounts looked at.
    pub accounts: u64,
    /// Of these, those whose groups were others than before.
    pub changed: u64,
    /// Of these, those whom the directory does not vouch for any more.
    pub gone: u64,
}

impl Accounts {
    /// Asks `directory` about names that have no account here, and about those that it vouches for.
    pub fn ask(&self, directory: Arc<dyn Directory>) {
        // The first one stays: there is one for all that the configuration names.
        let _ = self.0.directory.set(directory);
    }

    pub(crate) fn directory(&self) -> Option<&Arc<dyn Directory>> {
        self.0.directory.get()
    }

    /// Where a directory is asked, lets every refusal take as long, whoever it was that refused.
    pub(crate) async fn even_out<T>(&self, at: Instant, outcome: &Result<T, Unauthenticated>) {
        if self.directory().is_some() && matches!(outcome, Err(Unauthenticated::WrongCredentials { .. })) {
            sleep_until(at).await;
        }
    }

    /// Finds the account of somebody by the password that a directory keeps.
    pub(super) async fn of_directory(
        &self,
        directory: &Arc<dyn Directory>,
        known: Option<&Account>,
        name: &str,
        password: &[u8],
    ) -> Result<Account, Unauthenticated> {
        let cause = if known.is_some() { Cause::WrongPassword } else { Cause::UnknownName };
        let Ok(password) = str::from_utf8(password) else { return wrong(name, cause) };
        match directory.verify(name, password).await {
            Ok(Some(proven)) => self.welcome(&proven).await,
            Ok(None) => wrong(name, cause),
            Err(federation::Unavailable) => Err(Unauthenticated::Unavailable),
        }
    }

    /// Finds the account of somebody whom another service vouches for, makes it at the first time, and notes what is new.
    pub(crate) async fn welcome(&self, proven: &Proven) -> Result<Account, Unauthenticated> {
        let now = self.now();
        let (source, groups) = (proven.source, sorted(&proven.groups));
        let found = self.0.catalog.read(async |r| account::find_external(r, source, &proven.external).await);
        let known = found.await.map_err(unavailable)?;
        let name = known.as_ref().map_or(&proven.name, |account| &account.name);
        if self.is_configured(name) {
            return Err(Unauthenticated::NameTaken { name: name.clone() });
        }
        if let Some(account) = &known {
            usable(account)?;
            if !account.must_change && account.groups == groups && has_profile(account, proven) {
                if account::is_news(account, now) {
                    let id = account.id;
                    self.note(async move |tx| account::note_login(tx, id, now).await);
                }
                return Ok(account.clone());
            }
        }
        let new = New {
            name: proven.name.clone(),
            source,
            external: Some(proven.external.clone()),
            display_name: proven.display.clone(),
            email: proven.email.clone(),
            password: None,
            must_change: false,
            groups,
        };
        let owner = self.as_author(name, proven.source).await;
        let written = self.0.catalog.write(async move |tx| enter(tx, &new, &owner, now).await).await;
        let account = written.map_err(unavailable)?;
        self.look().await.map_err(unavailable)?;
        let account = account.ok_or_else(|| Unauthenticated::NameTaken { name: proven.name.clone() })?;
        usable(&account)?;
        Ok(account)
    }

    /// Lets logs know whose accounts these are by their pseudonyms.
    pub(crate) fn know(&self, persons: Persons) {
        // The first ones stay, as above.
        let _ = self.0.persons.set(persons);
    }

    /// Says in logs who has proved to be somebody at another service, and so made an account. Never by name.
    async fn as_author(&self, name: &str, source: Source) -> Author {
        let Some(persons) = self.0.persons.get() else { return by(LOGIN) };
        let person = match persons.of(name).await {
            Ok(person) => person,
            Err(error) => {
                tracing::warn!(%error, "cannot find out how logs name somebody who logs in");
                return by(LOGIN);
            }
        };
        let proof = match source {
            Source::Local | Source::Ldap => Proof::Password,
            Source::Oidc => Proof::Federation,
        };
        let origin = json!({ "kind": "user", "proof": proof.as_str() });
        Author { name: person.pseudonym().to_owned(), origin: Some(origin) }
    }

    /// Looks what `directory` says now of everybody whom it vouches for: who left a group loses what the group may, and whom it does not
    /// know any more is not believed until it does again.
    ///
    /// # Errors
    /// The catalog's. That the directory can't be asked ends the look, and is no error: what is known stands.
    pub async fn look_up_all(&self, directory: &dyn Directory) -> Result<Looked, Error> {
        let (mut looked, mut after) = (Looked::default(), String::new());
        loop {
            let page = self.users(&after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(looked) };
            after.clone_from(&last.name);
            let theirs = |account: &Account| {
                account.source == Source::Ldap && account.disabled_at.is_none() && !account.must_change
            };
            for account in page.into_iter().filter(theirs) {
                let external = account.external.as_deref().unwrap_or_default();
                let Ok(found) = directory.look_up(&account.name, external).await else { return Ok(looked) };
                looked.accounts += 1;
                match found {
                    LookedUp::Unknown => {}
                    LookedUp::Gone => looked.gone += u64::from(self.lapse(&account).await?),
                    LookedUp::Found(proven) => {
                        looked.changed += u64::from(self.regroup(&account, &proven.groups).await?);
                    }
                }
            }
        }
    }

    async fn lapse(&self, account: &Account) -> Result<bool, Error> {
        let (id, name, now) = (account.id, account.name.clone(), self.now());
        self.change(async move |tx| {
            let changed = account::set_lapsed(tx, id, true, now).await?;
            if changed {
                tell_account(tx, (id, &name), "gone from its directory", &by(DIRECTORY), now).await?;
            }
            Ok(changed)
        })
        .await
    }

    async fn regroup(&self, account: &Account, groups: &[String]) -> Result<bool, Error> {
        let (id, name, groups, now) = (account.id, account.name.clone(), sorted(groups), self.now());
        self.change(async move |tx| {
            let changed = account::set_groups(tx, id, &groups).await?;
            if changed {
                tell_account(tx, (id, &name), "groups changed", &by(DIRECTORY), now).await?;
            }
            Ok(changed)
        })
        .await
    }
}

/// Makes an account, or brings it up to date. `None` if somebody else has the name.
async fn enter(
    tx: &mut Tx,
    new: &New,
    owner: &Author,
    now: Timestamp,
) -> Result<Option<Account>, CatalogError> {
    let external = new.external.as_deref().unwrap_or_default();
    let id = if let Some(known) = account::find_external(tx, new.source, external).await? {
        let returned = account::set_lapsed(tx, known.id, false, now).await?;
        if account::set_groups(tx, known.id, &new.groups).await? || returned {
            tell_account(tx, (known.id, &known.name), "groups changed", &by(LOGIN), now).await?;
        }
        account::set_profile(tx, known.id, new.display_name.as_deref(), new.email.as_deref()).await?;
        account::note_login(tx, known.id, now).await?;
        known.id
    } else {
        let Some(id) = account::insert(tx, new, now).await? else { return Ok(None) };
        tell_account(tx, (id, &new.name), "created", owner, now).await?;
        account::note_login(tx, id, now).await?;
        id
    };
    account::find_by_id(tx, id).await
}

fn has_profile(account: &Account, proven: &Proven) -> bool {
    account.display_name == proven.display && account.email == proven.email
}

fn by(system: &str) -> Author {
    Author { name: system.to_owned(), origin: None }
}

fn sorted(groups: &[String]) -> Vec<String> {
    let mut groups = groups.to_vec();
    groups.sort_unstable();
    groups.dedup();
    groups
}
