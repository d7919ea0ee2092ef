//! What somebody who holds a signing key has said of the chain.

use jiff::Timestamp;

use super::record::{Hash, hash};
use crate::driver::{Reader, Row, params};
use crate::error::Result;
use crate::tx::Tx;

/// A signed statement that the chain up to `position` ends in `hash`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Position of a record.
    pub position: i64,
    /// Its hash.
    pub hash: Hash,
    /// When this was said.
    pub at: Timestamp,
    /// Which key signed.
    pub kid: String,
    /// Signature.
    pub signature: Vec<u8>,
}

/// Notes a checkpoint. Returns false if there is one of that position.
pub async fn insert(tx: &mut Tx, checkpoint: &Checkpoint) -> Result<bool> {
    let Checkpoint { position, hash, at, kid, signature } = checkpoint;
    let inserted = tx
        .execute(
            "INSERT INTO trail_checkpoint (position, hash, at, kid, signature) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING",
            params![*position, &hash.0[..], *at, kid, &signature[..]],
        )
        .await?;
    Ok(inserted > 0)
}

/// Finds the last checkpoint.
pub async fn last(r: &Reader) -> Result<Option<Checkpoint>> {
    r.query_opt(
        "SELECT position, hash, at, kid, signature FROM trail_checkpoint ORDER BY position DESC LIMIT 1",
        params![],
        read,
    )
    .await
}

/// Lists checkpoints behind `position`, in order.
pub async fn list(r: &Reader, position: i64, limit: usize) -> Result<Vec<Checkpoint>> {
    r.query(
        "SELECT position, hash, at, kid, signature FROM trail_checkpoint
          WHERE position > $1 ORDER BY position LIMIT $2",
        params![position, limit],
        read,
    )
    .await
}

fn read(row: &Row<'_>) -> Result<Checkpoint> {
    Ok(Checkpoint {
        position: row.int(0)?,
        hash: hash(row, 1)?,
        at: row.time(2)?,
        kid: row.text(3)?.to_owned(),
        signature: row.bytes(4)?.to_vec(),
    })
}
