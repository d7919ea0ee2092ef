//! Tokens for the management API: what a person proved with both factors, for a few minutes and nothing else.

use berth_catalog::session::{self, Kind};
use jiff::Timestamp;

use super::rules::after;
use super::secret::{RandomSecret, SecretKind};
use super::session::Resumed;
use super::{Accounts, Error};
use crate::caller::Caller;
use crate::error::Unauthenticated;
use crate::remembered;
use crate::snapshot::Gone;

/// Long enough for what one does by hand; a script gets another.
const LIFETIME_SECONDS: i64 = 15 * 60;

impl Accounts {
    /// Makes a token for a caller who has proved to be a user; the secret is shown this once.
    ///
    /// # Errors
    /// [`Error::Unproved`] if what the caller proved has ended meanwhile.
    pub(crate) async fn begin_api_token(&self, caller: &Caller) -> Result<(RandomSecret, Timestamp), Error> {
        let (secret, now) = (RandomSecret::generate(SecretKind::Api)?, self.now());
        let expires_at = after(now, LIFETIME_SECONDS);
        let (hash, proven, caller) = (secret.hash(), caller, caller.clone());
        let unit = async move |tx: &mut _| {
            session::forget(tx, now).await?;
            remembered::begin(tx, Kind::Api, &hash, &caller, |_| Some(expires_at), now).await
        };
        if self.0.catalog.write(unit).await? {
            Ok((secret, expires_at))
        } else {
            Err(Error::Unproved(Unauthenticated::gone(proven)(Gone::Changed)))
        }
    }

    /// Finds out whom a token proves; `None` if there is none, or it is over.
    pub(crate) async fn resume_api_token(&self, secret: &RandomSecret) -> Result<Option<Resumed>, Error> {
        let (hash, now) = (secret.hash(), self.now());
        let found = self.0.catalog.read(async |r| session::find(r, Kind::Api, &hash).await).await?;
        let Some(found) = found.filter(|found| now < found.expires_at) else { return Ok(None) };
        if session::is_news(&found, now) {
            let id = found.id;
            self.note(async move |tx| session::note_use(tx, id, now).await);
        }
        Ok(remembered::caller(&found).map(|caller| Resumed { caller, began_at: found.created_at }))
    }
}
