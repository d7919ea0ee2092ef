//! Secrets of the configuration that are kept here, sealed: passwords for directories and other registries.

use jiff::Timestamp;

use crate::driver::{Reader, params};
use crate::error::Result;
use crate::tx::Tx;

/// The secret that holds the keys that sign the audit trail.
pub const AUDIT_SIGNING_KEYS: &str = "audit-signing-keys";
/// Those that Berth makes for itself: nobody else sets or removes them.
pub const OWN: [&str; 1] = [AUDIT_SIGNING_KEYS];

/// Finds a secret, sealed as it was given.
pub async fn find(r: &Reader, name: &str) -> Result<Option<Vec<u8>>> {
    r.query_opt("SELECT sealed FROM secret WHERE name = $1", params![name], |row| {
        row.bytes(0).map(ToOwned::to_owned)
    })
    .await
}

/// Lists names and when each secret was set, in byte order behind `after`.
pub async fn list(r: &Reader, after: &str, limit: usize) -> Result<Vec<(String, Timestamp)>> {
    r.query(
        "SELECT name, changed_at FROM secret WHERE name > $1 ORDER BY name LIMIT $2",
        params![after, limit],
        |row| Ok((row.text(0)?.to_owned(), row.time(1)?)),
    )
    .await
}

/// Sets a secret, sealed.
pub async fn set(tx: &mut Tx, name: &str, sealed: &[u8], now: Timestamp) -> Result<()> {
    tx.post(
        "INSERT INTO secret (name, sealed, changed_at) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed, changed_at = excluded.changed_at",
        params![name, sealed, now],
    )
    .await
}

/// Removes a secret. Returns false if there was none.
pub async fn delete(tx: &mut Tx, name: &str) -> Result<bool> {
    Ok(tx.execute("DELETE FROM secret WHERE name = $1", params![name]).await? > 0)
}
