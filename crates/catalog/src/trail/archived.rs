//! What somebody who holds a signing key has said of records that left the trail: where they are now.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::{Hash, base64_bytes, hash};
use crate::driver::{Reader, Row, params};
use crate::error::Result;
use crate::tx::Tx;

/// A signed statement that the records from `first` to `last` lie in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    /// Position of the first record.
    pub first: i64,
    /// Position of the last one.
    pub last: i64,
    /// Hash of the last one.
    pub hash: Hash,
    /// Name of the file.
    pub file: String,
    /// SHA-256 of the file.
    pub sha256: Hash,
    /// When this was said.
    pub at: Timestamp,
    /// Which key signed.
    pub kid: String,
    /// Signature.
    #[serde(with = "base64_bytes")]
    pub signature: Vec<u8>,
}

/// Notes a statement, unless it is there. It goes in with the removal that it stands for: see [`remove`](super::retention::remove).
pub(super) async fn insert(tx: &mut Tx, archived: &Archived) -> Result<()> {
    let Archived { first, last, hash, file, sha256, at, kid, signature } = archived;
    tx.post(
        "INSERT INTO trail_archive (last, first, hash, file, sha256, at, kid, signature)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        params![*last, *first, &hash.0[..], file, &sha256.0[..], *at, kid, &signature[..]],
    )
    .await
}

/// Lists statements behind `position`, in order.
pub async fn list(r: &Reader, position: i64, limit: usize) -> Result<Vec<Archived>> {
    r.query(
        "SELECT last, first, hash, file, sha256, at, kid, signature FROM trail_archive
          WHERE last > $1 ORDER BY last LIMIT $2",
        params![position, limit],
        read,
    )
    .await
}

fn read(row: &Row<'_>) -> Result<Archived> {
    Ok(Archived {
        last: row.int(0)?,
        first: row.int(1)?,
        hash: hash(row, 2)?,
        file: row.text(3)?.to_owned(),
        sha256: hash(row, 4)?,
        at: row.time(5)?,
        kid: row.text(6)?.to_owned(),
        signature: row.bytes(7)?.to_vec(),
    })
}
