//! From a token to the caller for whom it speaks.

use std::sync::Arc;

use jiff::Timestamp;
use jsonwebtoken::{decode, decode_header};
use sha2::{Digest as _, Sha256};

use super::claims::Claims;
use super::key::ALGORITHM;
use super::tokens::{Inner, Tokens};
use crate::caller::Caller;
use crate::error::Unauthenticated;
use crate::snapshot::Gone;

/// How far the clocks of two nodes may differ.
const LEEWAY_SECONDS: i64 = 5;
/// No token of ours is longer.
const MAX_BYTES: usize = 24 * 1024;

/// A token whose signature was right.
pub(super) struct Verified {
    caller: Caller,
    signed_at: Timestamp,
    /// Seconds.
    from: i64,
    until: i64,
    epoch: u64,
}

impl Tokens {
    /// Finds out for whom a token speaks. `stands` tells whether somebody who proved that at a time is still believed.
    pub(crate) async fn verify(
        &self,
        token: &str,
        stands: impl FnOnce(&Caller, Timestamp) -> Result<(), Gone>,
    ) -> Result<Caller, Unauthenticated> {
        let Inner { catalog, keys, verified, .. } = &*self.0;
        let key: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let known = verified.get(&key).filter(|known| known.epoch == keys.epoch());
        let now = catalog.clock().now();
        let known = if let Some(known) = known {
            known
        } else {
            let new = Arc::new(self.check(token, now).await?);
            verified.insert(key, Arc::clone(&new));
            new
        };
        let second = now.as_second();
        if second >= known.until + LEEWAY_SECONDS {
            return Err(Unauthenticated::InvalidToken("has ended"));
        }
        if second < known.from - LEEWAY_SECONDS {
            return Err(Unauthenticated::InvalidToken(
                "is not good yet: compare this clock with the server's",
            ));
        }
        stands(&known.caller, known.signed_at).map_err(Unauthenticated::gone(&known.caller))?;
        Ok(known.caller.clone())
    }

    async fn check(&self, token: &str, now: Timestamp) -> Result<Verified, Unauthenticated> {
        const FOREIGN: Unauthenticated = Unauthenticated::InvalidToken("is none of this registry's");
        let Inner { keys, validation, .. } = &*self.0;
        if token.len() > MAX_BYTES {
            return Err(FOREIGN);
        }
        let header = decode_header(token).map_err(|_| FOREIGN)?;
        // We never name keys in another way, so whoever does wants us to believe their own.
        let names_key = header.jwk.is_some()
            || header.jku.is_some()
            || header.x5u.is_some()
            || header.x5c.is_some()
            || header.crit.is_some();
        let kid = header.kid.filter(|_| header.alg == ALGORITHM && !names_key).ok_or(FOREIGN)?;
        let epoch = keys.epoch();
        let pair = keys.find(&kid, now).await.map_err(|error| {
            tracing::warn!(%error, "keys of tokens can't be read");
            Unauthenticated::Busy
        })?;
        let pair = pair.ok_or(FOREIGN)?;
        let claims = decode::<Claims>(token, &pair.verifying, validation).map_err(|_| FOREIGN)?.claims;
        let (caller, signed_at) = claims.caller().zip(claims.signed_at()).ok_or(FOREIGN)?;
        let gone = pair.gone_at.map_or(i64::MAX, |gone| gone.as_second() - LEEWAY_SECONDS);
        let caller = caller.proved(Some(signed_at));
        Ok(Verified { caller, signed_at, from: claims.nbf, until: claims.exp.min(gone), epoch })
    }
}
