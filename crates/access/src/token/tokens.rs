//! Signs tokens, and holds what signing and verifying share: the keys, and what was verified before.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use berth_catalog::Catalog;
use berth_vault::Vault;
use jsonwebtoken::{Header, Validation, encode};
use moka::sync::Cache;

use super::claims::{Claims, ISSUER, scope_text};
use super::config::{MAX_LIFETIME_SECONDS, TokensConfig};
use super::error::TokenError;
use super::issued::Issued;
use super::key::ALGORITHM;
use super::keys::Keys;
use super::verify::Verified;
use crate::caller::Caller;
use crate::evidence::Evidence;
use crate::scope::Scope;

/// How many verified tokens are remembered.
const VERIFIED: u64 = 20_000;

/// Signs tokens and verifies them. Cheap to clone.
#[derive(Clone)]
pub struct Tokens(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) config: TokensConfig,
    pub(super) catalog: Catalog,
    pub(super) vault: Vault,
    pub(super) keys: Keys,
    pub(super) validation: Validation,
    /// What was verified, by the token's hash.
    pub(super) verified: Cache<[u8; 32], Arc<Verified>>,
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

    /// Signs a token for a caller that allows no more than `scope`, and ends with what the caller proved itself by.
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
        let left =
            caller.evidence().and_then(Evidence::until).map(|until| until.as_second() - now.as_second());
        let left = left.map_or(u32::MAX, |left| u32::try_from(left.max(1)).unwrap_or(u32::MAX));
        let lifetime_seconds = lifetime_seconds.min(left);
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
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("config", &self.0.config).finish_non_exhaustive()
    }
}
