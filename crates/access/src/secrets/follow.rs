//! The vault's keys over time, heard of from the commands that make them.

use std::time::Duration;

use berth_catalog::vault_key::{self, VaultKey};
use berth_catalog::{Catalog, Error};
use berth_vault::{Key, Vault};
use tokio::sync::watch;

use crate::access::Access;

/// How often it is looked whether something of access has changed.
const LOOK: Duration = Duration::from_millis(250);

impl Access {
    /// Tells `vault` of every key that comes into the catalog, until `stop` turns true: also where no tokens are signed there is
    /// something to seal, and others expect that it is done under the newest key.
    pub async fn keep_vault(&self, catalog: &Catalog, vault: &Vault, mut stop: watch::Receiver<bool>) {
        let (mut seen, mut failing) = (None, false);
        while tokio::time::timeout(LOOK, stop.wait_for(|stop| *stop)).await.is_err() {
            // Whoever makes a key lets this grow.
            let generation = self.generation();
            if seen == Some(generation) {
                continue;
            }
            let learnt = match kept(catalog).await {
                Ok(keys) => vault.learn(&keys).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match learnt {
                Ok(()) => (seen, failing) = (Some(generation), false),
                // Once, not four times a second.
                Err(error) if !failing => {
                    tracing::warn!(%error, "could not follow the keys that secrets are sealed under, trying again");
                    failing = true;
                }
                Err(_) => {}
            }
        }
    }
}

/// Returns the keys that the catalog itself keeps, the one that seals first.
pub(crate) async fn kept(catalog: &Catalog) -> Result<Vec<Key>, Error> {
    Ok(kept_among(&catalog.read(async |r| vault_key::list(r).await).await?))
}

/// Returns those of which the catalog has more than their name.
pub(super) fn kept_among(known: &[VaultKey]) -> Vec<Key> {
    known.iter().filter_map(|key| Key::from_bytes(key.material.as_ref()?)).collect()
}
