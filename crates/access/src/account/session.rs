//! Browser sessions: what was proved at a login, for as long as the rules say.

use berth_catalog::session::{self, Kind, Session};
use jiff::Timestamp;

use super::secret::{RandomSecret, SecretKind};
use super::{Accounts, Error};
use crate::caller::Caller;
use crate::error::Unauthenticated;
use crate::remembered;
use crate::snapshot::Gone;

/// Begins, finds and ends browser sessions.
#[derive(Debug, Clone)]
pub(crate) struct Sessions(Accounts);

/// A session that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resumed {
    /// Whom it proves, by what was proved at its begin.
    pub(crate) caller: Caller,
    /// When it began: what its owner's account ended since is not to be believed.
    pub(crate) began_at: Timestamp,
}

impl Accounts {
    /// Opens the browser sessions.
    pub(crate) fn sessions(&self) -> Sessions {
        Sessions(self.clone())
    }
}

impl Sessions {
    /// Begins a session; the secret is the cookie.
    ///
    /// # Errors
    /// [`Error::Unproved`] if what the caller proved has ended meanwhile.
    pub(crate) async fn begin(&self, caller: &Caller) -> Result<RandomSecret, Error> {
        let (accounts, secret) = (&self.0, RandomSecret::generate(SecretKind::Session)?);
        let now = accounts.now();
        let ends_at = accounts.0.rules.sessions.ends_at(now);
        let (hash, proven, caller) = (secret.hash(), caller, caller.clone());
        let unit = async move |tx: &mut _| {
            session::forget(tx, now).await?;
            remembered::begin(tx, Kind::Browser, &hash, &caller, |_| Some(ends_at), now).await
        };
        if accounts.0.catalog.write(unit).await? {
            Ok(secret)
        } else {
            Err(Error::Unproved(Unauthenticated::gone(proven)(Gone::Changed)))
        }
    }

    /// Finds a session by its cookie; `None` if there is none, or it was idle for too long, or it is over.
    pub(crate) async fn resume(&self, cookie: &str) -> Result<Option<Resumed>, Error> {
        let Some(hash) = hash(cookie) else { return Ok(None) };
        let (accounts, now) = (&self.0, self.0.now());
        let found = accounts.0.catalog.read(async |r| session::find(r, Kind::Browser, &hash).await).await?;
        let rules = &accounts.0.rules.sessions;
        let goes_on = |found: &Session| !rules.is_over(found.seen_at, found.expires_at, now);
        let Some(found) = found.filter(goes_on) else { return Ok(None) };
        if session::is_news(&found, now) {
            let id = found.id;
            accounts.note(async move |tx| session::note_use(tx, id, now).await);
        }
        Ok(remembered::caller(&found).map(|caller| Resumed { caller, began_at: found.created_at }))
    }

    /// Ends a session. Returns false if there was none.
    pub(crate) async fn end(&self, cookie: &str) -> Result<bool, Error> {
        let Some(hash) = hash(cookie) else { return Ok(false) };
        let unit = async move |tx: &mut _| session::delete(tx, Kind::Browser, &hash).await;
        Ok(self.0.0.catalog.write(unit).await?)
    }
}

fn hash(cookie: &str) -> Option<String> {
    RandomSecret::parse(SecretKind::Session, cookie.as_bytes()).map(|secret| secret.hash())
}
