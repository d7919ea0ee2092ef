//! Running totals that survive restarts. What the catalog gave up must equal what the store freed plus the trash.

use crate::driver::{Reader, params};
use crate::error::Result;
use crate::tx::Tx;

/// Stored blobs whose row was given up.
pub const COLLECTED_BLOBS: &str = "collected_blobs";
/// Their bytes.
pub const COLLECTED_BYTES: &str = "collected_bytes";
/// Stored blobs whose bytes were freed.
pub const FREED_BLOBS: &str = "freed_blobs";
/// Their bytes.
pub const FREED_BYTES: &str = "freed_bytes";
/// Bytes freed with rows (inline blobs and manifests).
pub const FREED_INLINE_BYTES: &str = "freed_inline_bytes";

/// Adds to a total.
pub async fn add(tx: &mut Tx, name: &'static str, amount: u64) -> Result<()> {
    tx.execute(
        "INSERT INTO ledger (name, value) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET value = ledger.value + excluded.value",
        params![name, amount],
    )
    .await?;
    Ok(())
}

/// Reads a total; 0 if nothing was ever added.
pub async fn get(r: &Reader, name: &'static str) -> Result<u64> {
    Ok(r.query_opt("SELECT value FROM ledger WHERE name = $1", params![name], |row| row.size(0))
        .await?
        .unwrap_or(0))
}
