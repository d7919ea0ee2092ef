//! Where the chain begins and ends: one row, whose lock makes writers take turns.

use super::record::{Hash, hash};
use crate::driver::{Reader, Row, params};
use crate::error::{Error, Result};
use crate::tx::Tx;

/// Where the chain begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Position of the last record; 0 for none yet.
    pub position: i64,
    /// Its hash.
    pub hash: Hash,
    /// How far the event log has been copied.
    pub event: i64,
    /// Position of the first record that is still here.
    pub first: i64,
    /// Hash of the record before that.
    pub before: Hash,
}

/// Reads the head.
pub async fn find(r: &Reader) -> Result<Head> {
    r.query_opt("SELECT position, hash, event, first, before FROM trail_head WHERE one = 1", params![], read)
        .await?
        .ok_or_else(gone)
}

/// Takes the head until the unit of work ends: writers on other nodes wait for that.
pub async fn take(tx: &mut Tx) -> Result<Head> {
    tx.query_opt(
        "UPDATE trail_head SET one = 1 WHERE one = 1 RETURNING position, hash, event, first, before",
        params![],
        read,
    )
    .await?
    .ok_or_else(gone)
}

/// Moves the head, which must have been taken in this unit of work.
pub(super) async fn save(tx: &mut Tx, head: &Head) -> Result<()> {
    tx.post(
        "UPDATE trail_head SET position = $1, hash = $2, event = $3, first = $4, before = $5 WHERE one = 1",
        params![head.position, &head.hash.0[..], head.event, head.first, &head.before.0[..]],
    )
    .await
}

fn read(row: &Row<'_>) -> Result<Head> {
    Ok(Head {
        position: row.int(0)?,
        hash: hash(row, 1)?,
        event: row.int(2)?,
        first: row.int(3)?,
        before: hash(row, 4)?,
    })
}

fn gone() -> Error {
    Error::Invalid { what: "audit trail", value: "the row of trail_head is gone".into() }
}
