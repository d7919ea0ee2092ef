//! Refresh tokens: random secrets that a client keeps instead of a password, each a row of its own.

use berth_catalog::account::Source;
use berth_catalog::session::{self, Kind};
use jiff::{SignedDuration, Timestamp};

use super::config::TokensConfig;
use super::tokens::Tokens;
use crate::account::{RandomSecret, SecretKind};
use crate::caller::Caller;
use crate::error::Unauthenticated;
use crate::remembered;

impl TokensConfig {
    /// For how long a refresh token is good of a user for whom `source` vouches; `None` if none is handed out. A directory hears nothing
    /// of its use, so it must ask for the password again soon.
    fn refresh_lifetime(&self, source: Source) -> Option<SignedDuration> {
        let longest = SignedDuration::from_hours(24 * i64::from(self.refresh_days));
        let lifetime = match source {
            Source::Local => longest,
            Source::Ldap | Source::Oidc => {
                longest.min(SignedDuration::from_hours(self.directory_refresh_hours.into()))
            }
        };
        lifetime.is_positive().then_some(lifetime)
    }
}

impl Tokens {
    /// Makes a refresh token for a caller; `None` if none are handed out, or what the caller proved has ended meanwhile. That one can't be
    /// kept is no reason to refuse the client, which then asks with its password again.
    pub(super) async fn remember(&self, caller: &Caller) -> Option<String> {
        let config = self.config().clone();
        config.refresh_lifetime(Source::Local)?;
        let secret = RandomSecret::generate(SecretKind::Refresh).ok()?;
        let catalog = self.catalog();
        let now = catalog.clock().now();
        let (hash, caller) = (secret.hash(), caller.clone());
        // Now and then those go whose time is over.
        let sweeps = hash.starts_with("00");
        let kept = catalog.write(async move |tx| {
            if sweeps {
                session::forget(tx, now).await?;
            }
            let ends_at = |source| now.checked_add(config.refresh_lifetime(source)?).ok();
            remembered::begin(tx, Kind::Refresh, &hash, &caller, ends_at, now).await
        });
        match kept.await {
            Ok(begun) => begun.then(|| secret.reveal().to_owned()),
            Err(error) => {
                tracing::warn!(%error, "a refresh token could not be kept, so none was given");
                None
            }
        }
    }

    /// Finds the caller that a refresh token was made for, and when; `None` if there is none, or its time is over.
    pub(super) async fn recall(
        &self,
        secret: &RandomSecret,
    ) -> Result<Option<(Caller, Timestamp)>, Unauthenticated> {
        let (catalog, hash) = (self.catalog(), secret.hash());
        let found = catalog.read(async |r| session::find(r, Kind::Refresh, &hash).await).await;
        let found = found.map_err(|error| {
            tracing::warn!(%error, "refresh tokens can't be looked up");
            Unauthenticated::Busy
        })?;
        let now = catalog.clock().now();
        let Some(found) = found.filter(|session| now < session.expires_at) else { return Ok(None) };
        if session::is_news(&found, now) {
            let id = found.id;
            // When it was used last is for the eye only.
            if let Err(error) = catalog.write(async move |tx| session::note_use(tx, id, now).await).await {
                tracing::debug!(%error, "the use of a refresh token was not noted");
            }
        }
        Ok(remembered::caller(&found).map(|caller| (caller, found.created_at)))
    }
}
