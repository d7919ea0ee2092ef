//! Passwords that users make for their clients.

use berth_catalog::account::Source;
use berth_catalog::app_password::{self, AppPassword, AppPasswordId};
use berth_catalog::event::Author;
use jiff::Timestamp;

use super::admin::tell_account;
use super::rules::after;
use super::secret::{RandomSecret, SecretKind};
use super::{Accounts, Error};
use crate::caller::Caller;
use crate::error::Unauthenticated;
use crate::remembered;
use crate::snapshot::Gone;

/// Ended ones are remembered for so long, so that whoever still has one hears why.
const REMEMBERED_SECONDS: i64 = 180 * 86_400;
/// More of one user are a mistake. Of those that ended no more are remembered, once no token is out that was had for one.
const MAX: usize = 200;
const FRESH_SECONDS: i64 = 86_400;
/// Those that are alive, those that are remembered, and as many as somebody ends within a day.
const LISTED: usize = 1_000;
const MAX_NAME_BYTES: usize = 128;

/// An application password to make.
#[derive(Debug, Clone)]
pub struct NewApplicationPassword {
    /// Whose.
    pub user: String,
    /// What for, in its owner's words.
    pub name: String,
    /// Days that it lives.
    pub days: u32,
}

impl Accounts {
    /// Makes an application password by the operator's order; the secret is shown this once. An account that another service vouches for
    /// may have one too: it is what its clients log in with.
    ///
    /// # Errors
    /// [`Error::TooLong`] for more days than the rules allow.
    pub async fn create_application_password(
        &self,
        new: NewApplicationPassword,
        by: &Author,
    ) -> Result<(AppPasswordId, RandomSecret, Timestamp), Error> {
        self.make_application_password(new, by, None).await
    }

    /// Makes one for a user who proved to be that, if what proved it still does in the unit of work: it would outlive that by far.
    ///
    /// # Errors
    /// As above, and [`Error::Unproved`].
    pub(crate) async fn create_own_application_password(
        &self,
        caller: &Caller,
        name: String,
        days: u32,
    ) -> Result<(AppPasswordId, RandomSecret, Timestamp), Error> {
        let new = NewApplicationPassword { user: caller.name().to_owned(), name, days };
        self.make_application_password(new, &caller.author(), Some(caller.clone())).await
    }

    async fn make_application_password(
        &self,
        new: NewApplicationPassword,
        by: &Author,
        proven: Option<Caller>,
    ) -> Result<(AppPasswordId, RandomSecret, Timestamp), Error> {
        let now = self.now();
        let expires_at = self.0.rules.application_passwords.expiry(new.days, now)?;
        if new.name.is_empty() || new.name.len() > MAX_NAME_BYTES || new.name.chars().any(char::is_control) {
            let name = new.name.chars().take(MAX_NAME_BYTES).collect();
            return Err(Error::Name {
                name,
                problem: "names no client: use 1 to 128 bytes, no control characters",
            });
        }
        if self.is_configured(&new.user) {
            return Err(Error::Configured(new.user));
        }
        let account = self.user(&new.user).await?;
        if account.must_change && account.source == Source::Local {
            return Err(Error::MustChange(account.name));
        }
        let secret = RandomSecret::generate(SecretKind::Application)?;
        let (hash, by, id) = (secret.hash(), by.clone(), account.id);
        let made = self.change(async move |tx| {
            if let Some(caller) = &proven
                && remembered::account_of(tx, caller).await?.is_none_or(|account| account.id != id)
            {
                return Err(Error::Unproved(Unauthenticated::gone(caller)(Gone::Changed)));
            }
            app_password::forget(tx, id, after(now, -REMEMBERED_SECONDS)).await?;
            app_password::forget_beyond(tx, id, after(now, -FRESH_SECONDS), MAX).await?;
            if app_password::count_alive(tx, id, now).await? >= MAX as u64 {
                return Err(Error::Full { what: "application passwords", most: MAX });
            }
            let made = app_password::insert(tx, id, &new.name, &hash, expires_at, now).await?;
            tell_account(tx, (id, &new.user), "application password created", &by, now).await?;
            Ok(made)
        });
        Ok((made.await?, secret, expires_at))
    }

    /// Lists a user's application passwords, the newest first.
    pub async fn application_passwords(&self, user: &str) -> Result<Vec<AppPassword>, Error> {
        let account = self.user(user).await?;
        Ok(self.0.catalog.read(async |r| app_password::list(r, account.id, LISTED).await).await?)
    }

    /// Revokes one of a user's application passwords.
    ///
    /// # Errors
    /// [`Error::Unknown`] for one that is somebody else's, too.
    pub async fn revoke_application_password(
        &self,
        user: &str,
        id: AppPasswordId,
        by: &Author,
    ) -> Result<(), Error> {
        let (account, by, now) = (self.user(user).await?, by.clone(), self.now());
        self.change(async move |tx| {
            if !app_password::revoke(tx, account.id, id, now).await? {
                return Err(Error::Unknown { what: "application password", name: id.0.to_string() });
            }
            let whose = (account.id, account.name.as_str());
            Ok(tell_account(tx, whose, "application password revoked", &by, now).await?)
        })
        .await
    }
}
