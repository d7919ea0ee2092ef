//! The keys that secrets in here are sealed under: kept here where the configuration names none, else only noted.

use jiff::Timestamp;

use crate::driver::{Reader, params};
use crate::error::Result;
use crate::hidden::Hidden;
use crate::tx::Tx;

/// More than anybody has.
const MOST: usize = 1000;

/// A key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultKey {
    /// What names it.
    pub kid: String,
    /// The key; `None` where the operator keeps it.
    pub material: Option<Hidden<Vec<u8>>>,
    /// When it was first used.
    pub created_at: Timestamp,
}

/// Lists all keys, the latest first.
pub async fn list(r: &Reader) -> Result<Vec<VaultKey>> {
    r.query(
        "SELECT kid, material, created_at FROM vault_key ORDER BY id DESC LIMIT $1",
        params![MOST],
        |row| {
            Ok(VaultKey {
                kid: row.text(0)?.to_owned(),
                material: row.bytes_opt(1)?.map(|bytes| Hidden::new(bytes.to_owned())),
                created_at: row.time(2)?,
            })
        },
    )
    .await
}

/// Notes a key. Returns false if it is known.
pub async fn insert(tx: &mut Tx, kid: &str, material: Option<&[u8]>, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            "INSERT INTO vault_key (kid, material, created_at) VALUES ($1, $2, $3) ON CONFLICT (kid) DO NOTHING",
            params![kid, material, now],
        )
        .await?;
    Ok(changed > 0)
}

/// Forgets a key, and with it everything that is sealed under it.
pub async fn delete(tx: &mut Tx, kid: &str) -> Result<()> {
    tx.post("DELETE FROM vault_key WHERE kid = $1", params![kid]).await
}
