//! How far who follows the trail has come: one node at a time follows under a name, and another goes on where it stopped.

use jiff::Timestamp;

use crate::driver::{Reader, params};
use crate::error::Result;
use crate::tx::Tx;

/// Takes the cursor `name` for `owner` until `until`, or keeps it. Returns the position that was reached, `start` at first; `None`
/// while another holds it.
pub async fn take(
    tx: &mut Tx,
    name: &str,
    owner: &str,
    start: i64,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<i64>> {
    super::head::take(tx).await?;
    tx.post(
        "INSERT INTO trail_cursor (name, position, owner, until) VALUES ($1, $2, '', 0) ON CONFLICT (name) DO NOTHING",
        params![name, start],
    )
    .await?;
    tx.query_opt(
        "UPDATE trail_cursor SET owner = $1, until = $2 WHERE name = $3 AND (owner = $1 OR until <= $4) RETURNING position",
        params![owner, until, name, now],
        |row| row.int(0),
    )
    .await
}

/// Notes that everything up to `position` is done. Returns whether the cursor was still the owner's.
pub async fn advance(tx: &mut Tx, name: &str, owner: &str, position: i64, until: Timestamp) -> Result<bool> {
    super::head::take(tx).await?;
    let moved = tx
        .query_opt(
            "UPDATE trail_cursor SET position = $1, until = $2 WHERE name = $3 AND owner = $4 RETURNING position",
            params![position, until, name, owner],
            |_| Ok(()),
        )
        .await?;
    Ok(moved.is_some())
}

/// Notes a position that nobody competes for.
pub(super) async fn put(tx: &mut Tx, name: &str, position: i64) -> Result<()> {
    tx.post(
        "INSERT INTO trail_cursor (name, position, owner, until) VALUES ($1, $2, '', 0)
         ON CONFLICT (name) DO UPDATE SET position = excluded.position",
        params![name, position],
    )
    .await
}

/// Lets another take over at once.
pub async fn release(tx: &mut Tx, name: &str, owner: &str) -> Result<()> {
    super::head::take(tx).await?;
    tx.post("UPDATE trail_cursor SET until = 0 WHERE name = $1 AND owner = $2", params![name, owner]).await
}

/// Returns how far a cursor has come.
pub async fn find(r: &Reader, name: &str) -> Result<Option<i64>> {
    r.query_opt("SELECT position FROM trail_cursor WHERE name = $1", params![name], |row| row.int(0)).await
}
