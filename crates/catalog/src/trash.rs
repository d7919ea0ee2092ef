//! Trash: locations whose row is gone. Rows here are the memory that lets a crash between commit and unlink leak nothing.

use jiff::Timestamp;

use crate::blob::BlobId;
use crate::driver::{Reader, params};
use crate::error::Result;
use crate::ledger;
use crate::tx::Tx;

/// Bytes that wait to be freed in the store.
#[derive(Debug, Clone)]
pub struct Trash {
    /// Where they lie.
    pub location: String,
    /// Their size in bytes, as the catalog knew it.
    pub size: u64,
}

/// Puts a blob's location, if it has one, into the trash; the caller changes or deletes the row in the same unit.
pub async fn discard_location(tx: &mut Tx, blob: BlobId, now: Timestamp) -> Result<()> {
    let size = tx
        .query_opt(
            "INSERT INTO trash (location, size, trashed_at)
             SELECT location, size, $1 FROM blob WHERE id = $2 AND location IS NOT NULL
             ON CONFLICT (location) DO NOTHING RETURNING size",
            params![now, blob.0],
            |row| row.size(0),
        )
        .await?;
    if let Some(size) = size {
        ledger::add(tx, ledger::COLLECTED_BLOBS, 1).await?;
        ledger::add(tx, ledger::COLLECTED_BYTES, size).await?;
    }
    Ok(())
}

/// Lists trash, at most `limit`.
pub async fn list(r: &Reader, limit: usize) -> Result<Vec<Trash>> {
    r.query("SELECT location, size FROM trash ORDER BY location LIMIT $1", params![limit], |row| {
        Ok(Trash { location: row.text(0)?.to_owned(), size: row.size(1)? })
    })
    .await
}

/// Forgets a location whose bytes are gone, and books them as freed.
pub async fn delete(tx: &mut Tx, location: &str) -> Result<()> {
    let size = tx
        .query_opt("DELETE FROM trash WHERE location = $1 RETURNING size", params![location], |row| {
            row.size(0)
        })
        .await?;
    if let Some(size) = size {
        ledger::add(tx, ledger::FREED_BLOBS, 1).await?;
        ledger::add(tx, ledger::FREED_BYTES, size).await?;
    }
    Ok(())
}

/// Number and bytes of what waits.
pub async fn totals(r: &Reader) -> Result<(u64, u64)> {
    let totals = r
        .query_opt("SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS INTEGER) FROM trash", params![], |row| {
            Ok((row.size(0)?, row.size(1)?))
        })
        .await?;
    Ok(totals.unwrap_or_default())
}

/// Tells whether a location waits to be freed.
pub async fn contains(r: &Reader, location: &str) -> Result<bool> {
    let found = r.query_opt("SELECT 1 FROM trash WHERE location = $1", params![location], |_| Ok(())).await?;
    Ok(found.is_some())
}
