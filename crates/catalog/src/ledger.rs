//! Running totals that survive restarts: what the catalog gave up, and what the store said it freed for that.

use crate::driver::{Reader, params};
use crate::error::Result;
use crate::tx::Tx;

/// Bytes of the stored blobs whose row was given up, as the catalog knew them.
pub(crate) const COLLECTED_BYTES: &str = "collected_bytes";
/// Bytes of those that were freed, as the store counted them.
pub(crate) const FREED_BYTES: &str = "freed_bytes";
/// Bytes that the store freed less than the catalog knew (negative: more).
pub(crate) const DIFFERENCE_BYTES: &str = "difference_bytes";

/// Blobs known.
pub(crate) const BLOBS: &str = "blobs";
/// Their bytes.
pub(crate) const BLOB_BYTES: &str = "blob_bytes";

/// The books at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Books {
    /// Bytes of the stored blobs whose row was given up, as the catalog knew them.
    pub collected_bytes: u64,
    /// Bytes of those that were freed, as the store counted them.
    pub freed_bytes: u64,
    /// Bytes that the store freed less than the catalog knew (negative: more): a file was cut short, or a backup's hard link
    /// holds it.
    pub difference_bytes: i64,
    /// Bytes that wait to be freed.
    pub trash_bytes: u64,
}

impl Books {
    /// Tells whether everything given up is accounted for.
    pub fn add_up(&self) -> bool {
        i128::from(self.collected_bytes)
            == i128::from(self.freed_bytes) + i128::from(self.difference_bytes) + i128::from(self.trash_bytes)
    }
}

/// Books what a group added to the totals, once, in the group's transaction.
pub(crate) fn settle(tx: &mut Tx) -> Result<()> {
    for (name, amount) in tx.marks().take_books() {
        tx.embedded()?.run(
            "INSERT INTO ledger (name, value) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET value = ledger.value + excluded.value",
            params![name, amount],
        )?;
    }
    Ok(())
}

/// Reads the books in one statement, so that a collector's commit lies before all of it or behind.
pub async fn books(r: &Reader) -> Result<Books> {
    let books = r
        .query_opt(
            "SELECT COALESCE((SELECT value FROM ledger WHERE name = $1), 0),
                    COALESCE((SELECT value FROM ledger WHERE name = $2), 0),
                    COALESCE((SELECT value FROM ledger WHERE name = $3), 0),
                    CAST(COALESCE(SUM(size), 0) AS BIGINT), COUNT(*)
               FROM trash",
            params![COLLECTED_BYTES, FREED_BYTES, DIFFERENCE_BYTES],
            |row| {
                Ok(Books {
                    collected_bytes: row.size(0)?,
                    freed_bytes: row.size(1)?,
                    difference_bytes: row.int(2)?,
                    trash_bytes: row.size(3)?,
                })
            },
        )
        .await?;
    Ok(books.unwrap_or_default())
}
