//! Pull counts: how often and when last, by reference as asked for. Written in batches, off the hot path.

use berth_oci::RepositoryName;
use jiff::Timestamp;

use crate::driver::{Reader, params};
use crate::error::Result;
use crate::tx::Tx;

/// Pulls of one reference since the last batch.
#[derive(Debug, Clone)]
pub struct Delta {
    /// Repository pulled from.
    pub repository: RepositoryName,
    /// Tag or digest as asked for.
    pub reference: String,
    /// Pulls.
    pub count: u64,
    /// Time of the last one.
    pub last_at: Timestamp,
}

/// Adds a batch.
pub async fn add(tx: &mut Tx, delta: &Delta) -> Result<()> {
    tx.post(
        "INSERT INTO pull (repository_id, reference, count, last_at)
         SELECT id, $1, $2, $3 FROM repository WHERE name = $4
         ON CONFLICT (repository_id, reference) DO UPDATE
            SET count = pull.count + excluded.count, last_at = CASE WHEN excluded.last_at > pull.last_at THEN excluded.last_at ELSE pull.last_at END",
        params![&delta.reference, delta.count, delta.last_at, delta.repository.as_str()],
    )
    .await?;
    Ok(())
}

/// Finds the pulls of one reference: count and time of the last.
pub async fn find(
    r: &Reader,
    repository: &RepositoryName,
    reference: &str,
) -> Result<Option<(u64, Timestamp)>> {
    r.query_opt(
        "SELECT p.count, p.last_at FROM repository AS r JOIN pull AS p ON p.repository_id = r.id
          WHERE r.name = $1 AND p.reference = $2",
        params![repository.as_str(), reference],
        |row| Ok((row.size(0)?, row.time(1)?)),
    )
    .await
}
