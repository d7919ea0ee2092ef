//! Trash: locations whose row is gone. A row here outlives the file, so that a crash between commit and unlink leaks nothing.

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
            |row| row.int(0),
        )
        .await?;
    if let Some(size) = size {
        tx.book(ledger::COLLECTED_BYTES, size);
    }
    Ok(())
}

/// Returns the bytes that [`discard_location`] would put into the trash; `None` for a blob that lies in its row.
pub async fn stored_size(r: &Reader, blob: BlobId) -> Result<Option<u64>> {
    r.query_opt("SELECT size FROM blob WHERE id = $1 AND location IS NOT NULL", params![blob.0], |row| {
        row.size(0)
    })
    .await
}

/// Number and bytes of the stored blobs among those condemned before `before`.
pub async fn condemned_totals(r: &Reader, before: Timestamp) -> Result<(u64, u64)> {
    let totals = r
        .query_opt(
            "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM blob
              WHERE condemned_at < $1 AND location IS NOT NULL",
            params![before],
            |row| Ok((row.size(0)?, row.size(1)?)),
        )
        .await?;
    Ok(totals.unwrap_or_default())
}

/// Lists trash behind the location `after` (empty for the start), in the order of locations, at most `limit`.
pub async fn list(r: &Reader, after: &str, limit: usize) -> Result<Vec<Trash>> {
    r.query(
        "SELECT location, size FROM trash WHERE location > $1 ORDER BY location LIMIT $2",
        params![after, limit],
        |row| Ok(Trash { location: row.text(0)?.to_owned(), size: row.size(1)? }),
    )
    .await
}

/// Forgets a location whose bytes are durably gone, and books what the store freed for it. `None`, it found nothing there,
/// counts as what the catalog knew: an earlier try freed it and ended before it could book.
pub async fn delete(tx: &mut Tx, location: &str, freed: Option<u64>) -> Result<()> {
    let size = tx
        .query_opt("DELETE FROM trash WHERE location = $1 RETURNING size", params![location], |row| {
            row.int(0)
        })
        .await?;
    let Some(size) = size else { return Ok(()) };
    let freed = freed.map_or(size, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    tx.book(ledger::FREED_BYTES, freed);
    if freed != size {
        tx.book(ledger::DIFFERENCE_BYTES, size - freed);
    }
    Ok(())
}

/// Number and bytes of what waits.
pub async fn totals(r: &Reader) -> Result<(u64, u64)> {
    let totals = r
        .query_opt("SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM trash", params![], |row| {
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
