//! The vault, with the operator's keys, or with one that is made and kept in the catalog.

use anyhow::{Context as _, Result, bail};
use berth_catalog::{Catalog, Error, vault_key};
use berth_vault::{Key, Vault};

use crate::config::Config;

/// May hold the keys; see `berth_vault::Config`.
pub(crate) const VARIABLE: &str = "BERTH_SECRETS_KEY";

/// Opens the vault of a catalog. Where the operator names no key, one is made at the first time.
///
/// # Errors
/// The configured keys can't be had, or secrets in the catalog are sealed under keys that nobody names.
pub(crate) async fn open(config: &Config, catalog: &Catalog) -> Result<Vault> {
    let configured = configured(config).await?;
    let known = catalog.read(async |r| vault_key::list(r).await).await?;
    let mut kept: Vec<_> = known.iter().filter_map(|key| Key::from_bytes(key.material.as_ref()?)).collect();
    if configured.is_empty() {
        if let Some(away) = known.iter().find(|key| key.material.is_none()) {
            bail!(
                "secrets in the catalog are sealed under key {}, which is kept elsewhere: say where with secrets.key_file, \
                 secrets.key_command or {VARIABLE}",
                away.kid
            );
        }
        if kept.is_empty() {
            kept = make(catalog).await?;
        }
    }
    for key in &configured {
        note(catalog, &known, key).await?;
    }
    Ok(Vault::new(&configured, &kept)?)
}

/// Reads the operator's keys; none where none are named.
pub(crate) async fn configured(config: &Config) -> Result<Vec<Key>> {
    let variable = std::env::var_os(VARIABLE)
        .map(|value| value.into_string().ok().with_context(|| format!("{VARIABLE}: value is not UTF-8")))
        .transpose()?;
    Ok(config.secrets.load(variable.as_deref()).await?.unwrap_or_default())
}

/// Makes a key and keeps it in the catalog, unless another node was faster.
async fn make(catalog: &Catalog) -> Result<Vec<Key>> {
    let key = Key::generate()?;
    let (kid, material, now) = (key.id().to_string(), key.material().to_vec(), catalog.clock().now());
    let made = catalog
        .write(async move |tx| {
            if vault_key::list(tx).await?.is_empty() {
                vault_key::insert(tx, &kid, Some(&material), now).await?;
            }
            Ok::<_, Error>(())
        })
        .await;
    match made {
        Ok(()) => {}
        // Nothing is written there any more, so nothing is sealed that would have to be opened later.
        Err(Error::Moved) => return Ok(vec![key]),
        Err(error) => return Err(error.into()),
    }
    let known = catalog.read(async |r| vault_key::list(r).await).await?;
    Ok(known.iter().filter_map(|key| Key::from_bytes(key.material.as_ref()?)).collect())
}

/// Notes that secrets may be sealed under a key, so that a start without it says so.
async fn note(catalog: &Catalog, known: &[vault_key::VaultKey], key: &Key) -> Result<()> {
    let (kid, now) = (key.id().to_string(), catalog.clock().now());
    if known.iter().any(|known| known.kid == kid) {
        return Ok(());
    }
    match catalog.write(async move |tx| vault_key::insert(tx, &kid, None, now).await).await {
        Ok(_) | Err(Error::Moved) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
