//! Refresh tokens: random secrets that a client keeps instead of a password, each a row of its own.

use berth_catalog::session::{self, Kind};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::tokens::Tokens;
use crate::account::{RandomSecret, SecretKind};
use crate::caller::{Caller, Identity, Proof};
use crate::error::Unauthenticated;

/// Whom a session proves, as its row says it.
#[derive(Serialize, Deserialize)]
struct Proven {
    kind: String,
    name: String,
    proof: String,
    #[serde(default)]
    groups: Vec<String>,
}

impl Tokens {
    /// Makes a refresh token for a caller; `None` if none are handed out. That one can't be kept is no reason to refuse the client, which
    /// then asks with its password again.
    pub(super) async fn remember(&self, caller: &Caller) -> Option<String> {
        let days = i64::from(self.config().refresh_days);
        if days == 0 {
            return None;
        }
        let proven = Proven {
            kind: caller.identity().kind().to_owned(),
            name: caller.name().to_owned(),
            proof: caller.proof().as_str().to_owned(),
            groups: caller.group_names(),
        };
        let secret = RandomSecret::generate(SecretKind::Refresh).ok()?;
        let catalog = self.catalog();
        let now = catalog.clock().now();
        let origin = caller.origin();
        let detail = serde_json::json!({
            "client": origin.map(|origin| origin.client),
            "agent": origin.and_then(|origin| origin.agent.as_deref()),
        });
        let new = session::New {
            kind: Kind::Refresh,
            secret: secret.hash(),
            identity: serde_json::to_string(&proven).ok()?,
            detail: detail.to_string(),
            expires_at: now + jiff::SignedDuration::from_hours(24 * days),
        };
        // Now and then those go whose time is over.
        let sweeps = new.secret.starts_with("00");
        let kept = catalog.write(async move |tx| {
            if sweeps {
                session::forget(tx, now).await?;
            }
            session::insert(tx, &new, now).await
        });
        match kept.await {
            Ok(()) => Some(secret.reveal().to_owned()),
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
        let proven: Option<Proven> = serde_json::from_str(&found.identity).ok();
        let caller = proven.and_then(|proven| {
            let identity = Identity::of(&proven.kind, &proven.name)?;
            Some(
                Caller::new(identity, Proof::of(&proven.proof)?)
                    .with_groups(proven.groups.into_iter().map(Into::into).collect()),
            )
        });
        if session::is_news(&found, now) {
            let id = found.id;
            // When it was used last is for the eye only.
            if let Err(error) = catalog.write(async move |tx| session::note_use(tx, id, now).await).await {
                tracing::debug!(%error, "the use of a refresh token was not noted");
            }
        }
        Ok(caller.map(|caller| (caller, found.created_at)))
    }
}
