//! A second factor by its owner's own hand: it waits in the catalog, sealed, until a code of it is given.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use berth_catalog::account::Source;
use berth_catalog::event::Author;
use berth_catalog::session::{self, Kind, New};
use berth_vault::context;
use serde_json::{Value, json};

use super::prove::wrong;
use super::rules::after;
use super::secret::{RandomSecret, SecretKind};
use super::totp::{Enrolment, totp};
use super::{Accounts, Error, Purpose};
use crate::error::Cause;

/// How long it waits.
const WAITS_SECONDS: i64 = 600;

impl Accounts {
    /// Begins a second factor for the owner of a password, who is shown the secret this once. `password` is none where the caller has
    /// just given it.
    ///
    /// # Errors
    /// [`Error::Unproved`] for a wrong password, [`Error::Elsewhere`] and [`Error::Configured`] for who has none here, [`Error::Factor`]
    /// where there is a second factor.
    pub(crate) async fn begin_totp(&self, name: &str, password: Option<&str>) -> Result<Enrolment, Error> {
        if self.is_configured(name) {
            return Err(Error::Configured(name.to_owned()));
        }
        let account = self.user(name).await?;
        if account.source != Source::Local {
            return Err(Error::Elsewhere(account.name));
        }
        if account.totp.is_some() {
            return Err(Error::Factor("there is a second factor; remove it first"));
        }
        if let Some(password) = password {
            self.person(name, password.as_bytes(), Purpose::Change(None), None).await?;
        }
        let enrolment = Enrolment::generate()?;
        let place = context::enrolment(name);
        let sealed = self.sealer()?.seal(&place, enrolment.0.secret().as_bytes()).map_err(Error::Seal)?;
        let now = self.now();
        let new = New {
            kind: Kind::Enrolment,
            // Nobody asks for it by this.
            secret: RandomSecret::generate(SecretKind::Session)?.hash(),
            owner: account.name,
            configured: None,
            identity: "{}".to_owned(),
            detail: json!({ "sealed": BASE64_STANDARD.encode(sealed) }).to_string(),
            expires_at: after(now, WAITS_SECONDS),
        };
        self.0.catalog.write(async move |tx| session::insert(tx, &new, 1, now).await).await?;
        Ok(enrolment)
    }

    /// Takes a second factor that waits into use, once a code of it is given. What was proved without it ends.
    ///
    /// # Errors
    /// [`Error::Code`] for a wrong code; [`Error::Factor`] where none waits.
    pub(crate) async fn confirm_totp(&self, name: &str, code: &str, by: &Author) -> Result<(), Error> {
        const NONE: Error = Error::Factor("no second factor waits for its first code; begin one");
        let now = self.now();
        let found = self.0.catalog.read(async |r| session::find_newest(r, Kind::Enrolment, name).await);
        let found = found.await?.filter(|found| now < found.expires_at).ok_or(NONE)?;
        let detail: Value = serde_json::from_str(&found.detail).unwrap_or_default();
        let sealed = BASE64_STANDARD.decode(detail["sealed"].as_str().unwrap_or_default());
        // The key may have gone with a rotation.
        let secret = self.sealer()?.open(&context::enrolment(name), &sealed.unwrap_or_default());
        let enrolment = Enrolment(totp(&secret.map_err(|_| NONE)?)?);
        self.enable_totp(name, &enrolment, code, by).await
    }

    /// Asks a user for no second factor any more, who gives a code of it.
    ///
    /// # Errors
    /// [`Error::Code`] for a wrong code, which counts as a wrong password does; [`Error::Unproved`] while too many were wrong.
    pub(crate) async fn remove_totp(&self, name: &str, code: &str, by: &Author) -> Result<(), Error> {
        let (account, now) = (self.user(name).await?, self.now());
        if account.totp.is_none() {
            return Err(Error::Factor("there is no second factor"));
        }
        let count = self.count_of(&account);
        if count.is_locked(now) {
            return Ok(wrong(name, Cause::Locked)?);
        }
        if !self.use_code(&account, code).await? {
            self.strike(account.id, count, now);
            return Err(Error::Code);
        }
        self.disable_totp(name, by).await
    }
}
