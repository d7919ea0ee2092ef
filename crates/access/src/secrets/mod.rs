//! Secrets that the catalog keeps under the vault's key, for the configuration to name: reading and writing them, and sealing all of
//! them anew under another key.

mod error;
mod follow;
mod open;
mod reseal;
mod sealer;

use std::fmt;

use berth_catalog::event::{Author, Kind};
use berth_catalog::{Catalog, secret};
use berth_vault::{Vault, Zeroizing, context};
use serde_json::json;

pub use error::SecretError;
pub(crate) use follow::kept;
pub use open::{OpenVaultError, open_vault, renew_key};
pub use reseal::{Resealed, reseal};

use crate::admin::tell;

/// The secrets of the configuration. Cheap to clone.
#[derive(Clone)]
pub struct Secrets {
    catalog: Catalog,
    vault: Vault,
}

impl Secrets {
    /// Keeps secrets in `catalog`, sealed by `vault`.
    pub fn new(catalog: Catalog, vault: Vault) -> Self {
        Self { catalog, vault }
    }

    /// Checks a name that a secret may be kept under.
    pub fn check_name(name: &str) -> Result<(), SecretError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if !(1..=64).contains(&name.len()) || !name.bytes().all(plain) {
            return Err(SecretError::Name(name.to_owned()));
        }
        keep_own(name)
    }

    /// Keeps a secret under a name, in place of what was there.
    pub async fn set(&self, name: &str, value: &[u8], author: &Author) -> Result<(), SecretError> {
        Self::check_name(name)?;
        if value.is_empty() {
            return Err(SecretError::Empty(name.to_owned()));
        }
        let sealed = self.vault.seal(&context::secret(name), value).map_err(failed(name))?;
        let (name, author, now) = (name.to_owned(), author.clone(), self.catalog.clock().now());
        let set = self.catalog.write(async move |tx| {
            secret::set(tx, &name, &sealed, now).await?;
            let detail = json!({ "change": "set", "name": name });
            tell(tx, Kind::SecretChanged, &author, detail, now).await;
            Ok::<_, berth_catalog::Error>(())
        });
        Ok(set.await?)
    }

    /// Opens a secret; `None` if there is none of that name.
    pub async fn reveal(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, SecretError> {
        let sealed = self.catalog.read(async |r| secret::find(r, name).await).await?;
        let open = |sealed: Vec<u8>| self.vault.open(&context::secret(name), &sealed).map_err(failed(name));
        sealed.map(open).transpose()
    }

    /// Removes a secret. Returns false if there was none.
    pub async fn remove(&self, name: &str, author: &Author) -> Result<bool, SecretError> {
        keep_own(name)?;
        let (name, author, now) = (name.to_owned(), author.clone(), self.catalog.clock().now());
        let removed = self.catalog.write(async move |tx| {
            let removed = secret::delete(tx, &name).await?;
            if removed {
                let detail = json!({ "change": "removed", "name": name });
                tell(tx, Kind::SecretChanged, &author, detail, now).await;
            }
            Ok::<_, berth_catalog::Error>(removed)
        });
        Ok(removed.await?)
    }
}

/// Refuses to touch what Berth keeps for itself.
fn keep_own(name: &str) -> Result<(), SecretError> {
    if secret::OWN.contains(&name) { Err(SecretError::Own(name.to_owned())) } else { Ok(()) }
}

fn failed(name: &str) -> impl FnOnce(berth_vault::Error) -> SecretError {
    let name = name.to_owned();
    move |error| SecretError::Vault { name, error }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("vault", &self.vault).finish_non_exhaustive()
    }
}
