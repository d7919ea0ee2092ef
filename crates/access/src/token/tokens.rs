use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use berth_catalog::Catalog;
use berth_vault::Vault;
use jiff::Timestamp;
use jsonwebtoken::{Header, Validation, decode, decode_header, encode};
use moka::sync::Cache;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::claims::{Claims, ISSUER, scope_text};
use super::config::{MAX_LIFETIME_SECONDS, TokensConfig};
use super::error::TokenError;
use super::key::ALGORITHM;
use super::keys::Keys;
use super::rotation::{self, BY_ITSELF, Successor};
use crate::caller::Caller;
use crate::error::Unauthenticated;
use crate::scope::Scope;
use crate::snapshot::Gone;

/// How far the clocks of two nodes may differ.
const LEEWAY_SECONDS: i64 = 5;
/// No token of ours is longer: a header with more is refused before anything is computed.
const MAX_BYTES: usize = 24 * 1024;
const VERIFIED: u64 = 20_000;
/// How often it is looked whether keys have changed, and whether the one that signs is too old.
const LOOK: Duration = Duration::from_millis(250);
const LOOKS_PER_UPKEEP: u32 = 240;

/// Signs tokens and verifies them. Cheap to clone.
#[derive(Clone)]
pub struct Tokens(Arc<Inner>);

struct Inner {
    config: TokensConfig,
    catalog: Catalog,
    vault: Vault,
    keys: Keys,
    validation: Validation,
    /// What was verified, by the token's hash.
    verified: Cache<[u8; 32], Arc<Verified>>,
}

/// A token whose signature was right.
struct Verified {
    caller: Caller,
    signed_at: Timestamp,
    /// Seconds.
    from: i64,
    until: i64,
    epoch: u64,
}

/// A token for a client.
pub struct Issued {
    /// The token. No log may hold it.
    pub token: String,
    /// What it allows, as `scope` says it.
    pub scope: String,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// How long it is good.
    pub lifetime_seconds: u32,
    /// What to get another with, if that was asked for.
    pub refresh_token: Option<String>,
}

impl Tokens {
    /// Signs with keys that `catalog` keeps, sealed by `vault`.
    pub fn new(config: &TokensConfig, catalog: Catalog, vault: Vault) -> Self {
        let mut validation = Validation::new(ALGORITHM);
        validation.set_audience(&[&config.service]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
        // Times are compared with the catalog's clock.
        validation.validate_exp = false;
        Self(Arc::new(Inner {
            config: config.clone(),
            keys: Keys::new(catalog.clone(), vault.clone()),
            catalog,
            vault,
            validation,
            verified: Cache::builder()
                .max_capacity(VERIFIED)
                .time_to_live(Duration::from_secs(config.lifetime_seconds.into()))
                .build(),
        }))
    }

    /// Returns how tokens are configured.
    pub fn config(&self) -> &TokensConfig {
        &self.0.config
    }

    pub(super) fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    /// Reads the keys.
    ///
    /// # Errors
    /// There are some and none can be opened: the vault has another key than they were sealed under.
    pub async fn load(&self) -> Result<(), TokenError> {
        self.0.keys.load().await
    }

    /// Returns the public keys as a JSON Web Key Set (RFC 7517).
    pub fn public_keys(&self) -> serde_json::Value {
        serde_json::to_value(self.0.keys.current().public()).unwrap_or_default()
    }

    /// Signs a token for a caller that allows no more than `scope`.
    pub(crate) async fn issue(
        &self,
        caller: &Caller,
        scope: &Scope,
        lifetime_seconds: Option<u32>,
    ) -> Result<Issued, TokenError> {
        let Inner { config, catalog, keys, .. } = &*self.0;
        let lifetime_seconds = lifetime_seconds.unwrap_or(config.lifetime_seconds).min(MAX_LIFETIME_SECONDS);
        let pair = keys.signer().await?;
        let now = catalog.clock().now();
        let claims = Claims::new(caller, scope, &config.service, now, lifetime_seconds);
        let header = Header { kid: Some(pair.kid.clone()), ..Header::new(ALGORITHM) };
        let token = encode(&header, &claims, &pair.signing).map_err(|_| TokenError::Key("could not sign"))?;
        Ok(Issued {
            token,
            scope: scope_text(&claims),
            issued_at: now,
            lifetime_seconds,
            refresh_token: None,
        })
    }

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
        stands(&known.caller, known.signed_at).map_err(Unauthenticated::Gone)?;
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
        Ok(Verified { caller, signed_at, from: claims.nbf, until: claims.exp.min(gone), epoch })
    }

    /// Follows the keys of all nodes, and lets another take over from one that is too old, until `stop` turns true. `generation` tells
    /// when something of access has changed that other nodes may have done.
    pub(super) async fn keep(
        &self,
        mut stop: watch::Receiver<bool>,
        generation: impl Fn() -> Option<i64>,
        may_write: impl Fn() -> bool,
    ) {
        let (mut seen, mut looks, mut failing) = (None, 0_u32, false);
        while tokio::time::timeout(LOOK, stop.wait_for(|stop| *stop)).await.is_err() {
            let upkeep = looks % LOOKS_PER_UPKEEP == 0 && may_write();
            let kept = self.heed(&mut seen, generation().unwrap_or_default(), upkeep).await;
            looks = looks.wrapping_add(1);
            match kept {
                Ok(()) => failing = false,
                // Once, not four times a second.
                Err(error) if !failing => {
                    tracing::warn!(%error, "could not follow the keys of tokens, trying again");
                    failing = true;
                }
                Err(_) => {}
            }
        }
    }

    async fn heed(&self, seen: &mut Option<i64>, generation: i64, upkeep: bool) -> Result<(), TokenError> {
        let Inner { catalog, vault, keys, config, .. } = &*self.0;
        if *seen != Some(generation) {
            keys.load().await?;
            *seen = Some(generation);
        }
        let days = i64::from(config.key_days);
        if upkeep && days > 0 {
            let limit = catalog.clock().now() - jiff::SignedDuration::from_hours(24 * days);
            let is_old = keys.current().signer().is_some_and(|pair| pair.made_at < limit);
            if is_old
                && let Some(kid) =
                    rotation::rotate(catalog, vault, Successor::IfOlder(limit), &BY_ITSELF.into()).await?
            {
                tracing::info!(kid, "another key signs tokens from now on");
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("config", &self.0.config).finish_non_exhaustive()
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("scope", &self.scope)
            .field("issued_at", &self.issued_at)
            .finish_non_exhaustive()
    }
}
