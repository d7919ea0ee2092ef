//! The operator's keys, from where the configuration says, and the vault that they open.

use anyhow::{Context as _, Result};
use berth_access::open_vault;
use berth_catalog::Catalog;
use berth_vault::{Key, VARIABLE, Vault};

use crate::config::Config;

/// Opens the vault of a catalog. Where the operator names no key, one is made at the first time.
///
/// # Errors
/// The configured keys can't be had, or secrets in the catalog are sealed under keys that nobody names.
pub(crate) async fn open(config: &Config, catalog: &Catalog) -> Result<Vault> {
    Ok(open_vault(catalog, &configured(config).await?).await?)
}

/// Reads the operator's keys; none where none are named.
pub(crate) async fn configured(config: &Config) -> Result<Vec<Key>> {
    let variable = std::env::var_os(VARIABLE)
        .map(|value| value.into_string().ok().with_context(|| format!("{VARIABLE}: value is not UTF-8")))
        .transpose()?;
    Ok(config.secrets.load(variable.as_deref()).await?.unwrap_or_default())
}
