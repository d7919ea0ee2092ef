//! Which keys seal what a catalog keeps: the operator's, or one that is made and kept in the catalog.

use berth_catalog::vault_key::{self, VaultKey};
use berth_catalog::{Catalog, Error, access_generation};
use berth_vault::{Key, KeyError, Vault};

use super::follow::{kept, kept_among};

/// A catalog's vault can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenVaultError {
    /// The operator's keys are elsewhere.
    #[error(
        "secrets in the catalog are sealed under key {0}, which is kept elsewhere: say where with secrets.key_file, \
         secrets.key_command or {VARIABLE}",
        VARIABLE = berth_vault::VARIABLE
    )]
    Away(String),
    /// No key could be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The keys don't fit together.
    #[error(transparent)]
    Vault(#[from] berth_vault::Error),
    /// The catalog did not answer.
    #[error(transparent)]
    Catalog(#[from] Error),
}

/// Opens the vault of a catalog with the keys that the operator names. Where there are none, one is made at the first time.
///
/// # Errors
/// Secrets in the catalog are sealed under keys that nobody names.
pub async fn open_vault(catalog: &Catalog, configured: &[Key]) -> Result<Vault, OpenVaultError> {
    let known = catalog.read(async |r| vault_key::list(r).await).await?;
    let mut own = kept_among(&known);
    if configured.is_empty() {
        if let Some(away) = known.iter().find(|key| key.material.is_none()) {
            return Err(OpenVaultError::Away(away.kid.clone()));
        }
        if own.is_empty() {
            own = make(catalog).await?;
        }
    }
    for key in configured {
        note(catalog, &known, key).await?;
    }
    Ok(Vault::new(configured, &own)?)
}

/// Makes another key and keeps it in the catalog. Every node that can reach the catalog seals under it within a second.
pub async fn renew_key(catalog: &Catalog) -> Result<(), OpenVaultError> {
    let key = Key::generate()?;
    let (kid, material, now) = (key.id().to_string(), key.material().to_vec(), catalog.clock().now());
    let made = catalog.write(async move |tx| {
        vault_key::insert(tx, &kid, Some(&material), now).await?;
        access_generation::bump(tx).await?;
        Ok::<_, Error>(())
    });
    Ok(made.await?)
}

/// Makes the first key, unless another node was faster.
async fn make(catalog: &Catalog) -> Result<Vec<Key>, OpenVaultError> {
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
        Ok(()) => Ok(kept(catalog).await?),
        // Nothing is written there any more, so nothing is sealed that would have to be opened later.
        Err(Error::Moved) => Ok(vec![key]),
        Err(error) => Err(error.into()),
    }
}

/// Notes that secrets may be sealed under a key, so that a start without it says so.
async fn note(catalog: &Catalog, known: &[VaultKey], key: &Key) -> Result<(), Error> {
    let (kid, now) = (key.id().to_string(), catalog.clock().now());
    if known.iter().any(|known| known.kid == kid) {
        return Ok(());
    }
    match catalog.write(async move |tx| vault_key::insert(tx, &kid, None, now).await).await {
        Ok(_) | Err(Error::Moved) => Ok(()),
        Err(error) => Err(error),
    }
}
