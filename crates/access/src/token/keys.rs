//! The keys of all nodes, as this one knows them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use berth_catalog::{Catalog, signing_key};
use berth_vault::Vault;
use jiff::Timestamp;
use jsonwebtoken::jwk::JwkSet;
use tokio::sync::Mutex;

use super::error::TokenError;
use super::key::Pair;
use super::rotation::{self, BY_ITSELF, Successor};
use crate::secrets::kept;

/// Least time between two looks at the catalog for the sake of unknown keys, which anybody may name.
const PAUSE: Duration = Duration::from_millis(200);

/// The keys that are good now.
#[derive(Default)]
pub(super) struct KeySet {
    /// Grows when a key goes: what was verified before has to be verified again.
    pub(super) epoch: u64,
    signer: Option<Arc<Pair>>,
    pairs: HashMap<String, Arc<Pair>>,
}

impl KeySet {
    /// Returns the key of this name, unless its time is over.
    pub(super) fn find(&self, kid: &str, now: Timestamp) -> Option<Arc<Pair>> {
        self.pairs.get(kid).filter(|pair| pair.gone_at.is_none_or(|gone| now < gone)).cloned()
    }

    /// Returns the key that signs.
    pub(super) fn signer(&self) -> Option<&Arc<Pair>> {
        self.signer.as_ref()
    }

    /// Returns the public halves, for other services that verify.
    pub(super) fn public(&self) -> JwkSet {
        let mut pairs: Vec<_> = self.pairs.values().collect();
        pairs.sort_by_key(|pair| (std::cmp::Reverse(pair.made_at), pair.kid.clone()));
        JwkSet { keys: pairs.into_iter().map(|pair| pair.public.clone()).collect() }
    }
}

pub(super) struct Keys {
    catalog: Catalog,
    vault: Vault,
    set: ArcSwap<KeySet>,
    /// When the catalog was last asked. Held while it is.
    looked: Mutex<Option<Instant>>,
}

impl Keys {
    pub(super) fn new(catalog: Catalog, vault: Vault) -> Self {
        Self { catalog, vault, set: ArcSwap::default(), looked: Mutex::default() }
    }

    pub(super) fn current(&self) -> Arc<KeySet> {
        self.set.load_full()
    }

    pub(super) fn epoch(&self) -> u64 {
        self.set.load().epoch
    }

    /// Takes over what the catalog has.
    pub(super) async fn load(&self) -> Result<(), TokenError> {
        let mut looked = self.looked.lock().await;
        *looked = Some(Instant::now());
        self.look().await
    }

    /// Finds a key, and asks the catalog once if it is not known: another node may have made it a moment ago.
    pub(super) async fn find(&self, kid: &str, now: Timestamp) -> Result<Option<Arc<Pair>>, TokenError> {
        if let Some(pair) = self.set.load().find(kid, now) {
            return Ok(Some(pair));
        }
        let asked = Instant::now();
        let mut looked = self.looked.lock().await;
        // Whoever waited for another's look, which began later, has its answer.
        if looked.is_none_or(|at| at < asked) {
            if let Some(pause) = looked.and_then(|at| PAUSE.checked_sub(at.elapsed())) {
                tokio::time::sleep(pause).await;
            }
            *looked = Some(Instant::now());
            self.look().await?;
        }
        Ok(self.set.load().find(kid, now))
    }

    /// Returns the key that signs, and makes one if there is none.
    pub(super) async fn signer(&self) -> Result<Arc<Pair>, TokenError> {
        if let Some(pair) = self.set.load().signer() {
            return Ok(Arc::clone(pair));
        }
        self.load().await?;
        if self.set.load().signer().is_none() {
            rotation::rotate(&self.catalog, &self.vault, Successor::IfNone, &BY_ITSELF.into()).await?;
            self.load().await?;
        }
        let signer = self.set.load().signer().cloned();
        signer.ok_or(TokenError::Key("was made, and is not there"))
    }

    async fn look(&self) -> Result<(), TokenError> {
        // Others may have sealed under a key that this node has not heard of, and expect it to do so from now on.
        self.vault.learn(&kept(&self.catalog).await?)?;
        let rows = self.catalog.read(async |r| signing_key::list(r).await).await?;
        let old = self.set.load_full();
        let now = self.catalog.clock().now();
        let mut pairs = HashMap::new();
        let mut problem = None;
        for row in rows.iter().filter(|row| row.gone_at.is_none_or(|gone| now < gone)) {
            // A key never changes, but for its end.
            let known = old.pairs.get(&row.kid).filter(|known| known.gone_at == row.gone_at);
            let opened =
                known.map_or_else(|| Pair::open(&self.vault, row).map(Arc::new), |pair| Ok(Arc::clone(pair)));
            match opened {
                Ok(pair) => drop(pairs.insert(row.kid.clone(), pair)),
                Err(error) => problem = Some((row.kid.clone(), error)),
            }
        }
        if let Some((kid, error)) = problem {
            if pairs.is_empty() {
                return Err(error);
            }
            tracing::warn!(kid, %error, "a signing key can't be used: its tokens are refused");
        }
        let newest = rows.iter().find(|row| row.gone_at.is_none());
        let signer = newest.and_then(|row| pairs.get(&row.kid).cloned());
        let lost = old.pairs.keys().any(|kid| !pairs.contains_key(kid));
        let shortened = pairs
            .iter()
            .any(|(kid, pair)| old.pairs.get(kid).is_some_and(|before| before.gone_at != pair.gone_at));
        let epoch = old.epoch + u64::from(lost || shortened);
        self.set.store(Arc::new(KeySet { epoch, signer, pairs }));
        Ok(())
    }
}
