//! What somebody who holds a signing key has said of the chain.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::{Hash, base64_bytes, hash};
use crate::driver::{Reader, Row, params};
use crate::error::Result;
use crate::tx::Tx;

/// A signed statement that the chain up to `position` ends in `hash`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Position of a record.
    pub position: i64,
    /// Its hash.
    pub hash: Hash,
    /// Hash of the checkpoint before, as it was signed; zeros for the first.
    pub previous: Hash,
    /// When this was said.
    pub at: Timestamp,
    /// Which key signed.
    pub kid: String,
    /// Signature.
    #[serde(with = "base64_bytes")]
    pub signature: Vec<u8>,
}

/// Notes a checkpoint. Returns false if there is one of that position.
pub async fn insert(tx: &mut Tx, checkpoint: &Checkpoint) -> Result<bool> {
    let Checkpoint { position, hash, previous, at, kid, signature } = checkpoint;
    let inserted = tx
        .execute(
            "INSERT INTO trail_checkpoint (position, hash, previous, at, kid, signature) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT DO NOTHING",
            params![*position, &hash.0[..], &previous.0[..], *at, kid, &signature[..]],
        )
        .await?;
    Ok(inserted > 0)
}

/// Finds the last checkpoint.
pub async fn last(r: &Reader) -> Result<Option<Checkpoint>> {
    r.query_opt(
        "SELECT position, hash, previous, at, kid, signature FROM trail_checkpoint ORDER BY position DESC LIMIT 1",
        params![],
        read,
    )
    .await
}

/// Lists checkpoints behind `position`, in order.
pub async fn list(r: &Reader, position: i64, limit: usize) -> Result<Vec<Checkpoint>> {
    r.query(
        "SELECT position, hash, previous, at, kid, signature FROM trail_checkpoint
          WHERE position > $1 ORDER BY position LIMIT $2",
        params![position, limit],
        read,
    )
    .await
}

/// Lists checkpoints at `position` or behind that were signed before `time`: which position, and when.
pub(super) async fn list_signed(
    r: &Reader,
    position: i64,
    time: Timestamp,
    limit: usize,
) -> Result<Vec<(i64, Timestamp)>> {
    r.query(
        "SELECT position, at FROM trail_checkpoint WHERE position >= $1 AND at < $2 ORDER BY position LIMIT $3",
        params![position, time, limit],
        |row| Ok((row.int(0)?, row.time(1)?)),
    )
    .await
}

/// Tells whether a checkpoint before `position` was signed later than `at`, as far as clocks are to be believed.
pub(super) async fn is_behind_later(
    r: &Reader,
    position: i64,
    at: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    let later = r
        .query_opt(
            "SELECT position FROM trail_checkpoint WHERE position < $1 AND at > $2 AND at <= $3 LIMIT 1",
            params![position, at, now],
            |row| row.int(0),
        )
        .await?;
    Ok(later.is_some())
}

fn read(row: &Row<'_>) -> Result<Checkpoint> {
    Ok(Checkpoint {
        position: row.int(0)?,
        hash: hash(row, 1)?,
        previous: hash(row, 2)?,
        at: row.time(3)?,
        kid: row.text(4)?.to_owned(),
        signature: row.bytes(5)?.to_vec(),
    })
}
