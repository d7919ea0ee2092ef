//! Seals every secret in the catalog under the key that seals now, and forgets keys that nothing needs.

use berth_catalog::event::{Author, Kind};
use berth_catalog::sealed::{self, Column};
use berth_catalog::{Catalog, vault_key};
use berth_vault::{Vault, context};
use serde_json::json;

use super::SecretError;
use crate::admin::tell;

const PAGE: usize = 100;
/// A value that somebody changed under our hands is sealed by a running server, perhaps under the old key: it is looked at again.
const ROUNDS: usize = 5;

/// What sealing anew has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Values that have another seal now.
    pub renewed: u64,
    /// Values that had the right one already.
    pub current: u64,
    /// Values that no key here opens, each with what it is and why; they stay as they are.
    pub lost: Vec<String>,
}

/// Seals every secret in the catalog under the key that seals now, and forgets the keys that nothing needs any more. Safe to stop and
/// to run again at any time, beside servers that know the key.
pub async fn reseal(catalog: &Catalog, vault: &Vault, author: &Author) -> Result<Resealed, SecretError> {
    let mut total = Resealed::default();
    for round in 0..ROUNDS {
        let mut done = Resealed::default();
        for column in Column::ALL {
            renew(catalog, vault, column, &mut done).await?;
        }
        let changed = done.renewed > 0;
        total.renewed += done.renewed;
        if round == 0 {
            total.current = done.current;
        }
        total.lost = done.lost;
        if !changed {
            break;
        }
    }
    if total.lost.is_empty() {
        forget(catalog, vault, total.renewed, author).await?;
    }
    Ok(total)
}

async fn renew(
    catalog: &Catalog,
    vault: &Vault,
    column: Column,
    done: &mut Resealed,
) -> Result<(), SecretError> {
    let mut after = 0;
    loop {
        let page = catalog.read(async |r| sealed::list(r, column, after, PAGE).await).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id;
        let mut changes = Vec::new();
        for old in page {
            if vault.is_current(&old.value) {
                done.current += 1;
                continue;
            }
            let place = place(column, &old.name);
            match vault.open(&place, &old.value).and_then(|secret| vault.seal(&place, &secret)) {
                Ok(new) => changes.push((old, new)),
                Err(error) => done.lost.push(format!("{} {:?}: {error}", column.as_str(), old.name)),
            }
        }
        if !changes.is_empty() {
            done.renewed += catalog
                .write(async move |tx| {
                    let mut renewed = 0;
                    for (old, new) in &changes {
                        renewed += u64::from(sealed::replace(tx, column, old, new).await?);
                    }
                    Ok::<_, berth_catalog::Error>(renewed)
                })
                .await?;
        }
    }
}

fn place(column: Column, name: &str) -> String {
    match column {
        Column::SigningKey => context::signing_key(name),
        Column::Secret => context::secret(name),
        Column::Totp => context::totp(name),
        Column::Subject => {
            let (pseudonym, name) = name.split_once('/').unwrap_or((name, ""));
            context::subject(pseudonym, name)
        }
    }
}

/// Nothing is sealed under the other keys any more: those that the catalog keeps go, and the notes of those that it does not.
async fn forget(catalog: &Catalog, vault: &Vault, renewed: u64, author: &Author) -> Result<(), SecretError> {
    let current = vault.current().map_err(super::failed("of the vault"))?.to_string();
    let (author, now) = (author.clone(), catalog.clock().now());
    catalog
        .write(async move |tx| {
            for key in vault_key::list(tx).await? {
                if key.kid != current {
                    vault_key::delete(tx, &key.kid).await?;
                }
            }
            let detail = json!({ "change": "resealed", "key": current, "count": renewed });
            tell(tx, Kind::SecretChanged, &author, detail, now).await;
            Ok::<_, berth_catalog::Error>(())
        })
        .await?;
    Ok(())
}
