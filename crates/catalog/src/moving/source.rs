//! The side that rows leave: begins, rests, and refuses writes in the end.

use jiff::Timestamp;

use super::sql::sources;
use super::trigger::LOCKS;
use super::view::changed;
use super::{Moving, State, find, refuse_other};
use crate::driver::{Reader, params};
use crate::error::{Error, Result};
use crate::tx::Tx;

/// How much of the source the target has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Point {
    /// Number of the last change.
    pub change: i64,
    /// Position of the last event.
    pub event: i64,
}

/// Begins a move, or takes over the one that is under way. From here on every change is noted.
///
/// # Errors
/// [`Error::Moved`] when the move is done; [`Error::Database`] if the catalog is not in SQLite.
pub async fn begin(tx: &mut Tx, id: &str, peer: &str, worker: &str, now: Timestamp) -> Result<Moving> {
    tx.embedded()?;
    match find(tx).await? {
        Some(Moving { state: State::Gone, .. }) => {}
        Some(_) => {
            let sql = "UPDATE moving SET state = 'copying', worker = $1, changed_at = $2 WHERE one = 1";
            tx.execute(sql, params![worker, now]).await?;
        }
        None => {
            tx.execute(
                "INSERT INTO moving (one, id, peer, state, worker, rests_till, applied, progress, started_at, changed_at)
                 VALUES (1, $1, $2, 'copying', $3, 0, 0, '{}', $4, $4)",
                params![id, peer, worker, now],
            )
            .await?;
            capture(tx).await?;
        }
    }
    find(tx).await?.ok_or(Error::TakenOver)
}

async fn capture(tx: &mut Tx) -> Result<()> {
    tx.execute(
        "CREATE TABLE moving_change (
            number INTEGER PRIMARY KEY AUTOINCREMENT,  -- a number is never used twice, whatever was forgotten
            noun   TEXT NOT NULL,
            first  INTEGER NOT NULL,
            second INTEGER NOT NULL,
            name   TEXT NOT NULL
         ) STRICT",
        params![],
    )
    .await?;
    tx.execute(
        "CREATE UNIQUE INDEX moving_change_key ON moving_change (noun, first, second, name)",
        params![],
    )
    .await?;
    for sql in sources().iter().flat_map(|source| &source.triggers) {
        tx.execute(sql, params![]).await?;
    }
    Ok(())
}

async fn stop_capture(tx: &mut Tx) -> Result<()> {
    for sql in sources().iter().flat_map(|source| &source.drops) {
        tx.execute(sql, params![]).await?;
    }
    tx.execute("DROP TABLE moving_change", params![]).await.map(drop)
}

/// Ends a move that is not done: nothing is noted any more, and nothing of it stays here.
///
/// # Errors
/// [`Error::Moved`] when it is done.
pub async fn cancel(tx: &mut Tx) -> Result<()> {
    match find(tx).await? {
        None => return Ok(()),
        Some(Moving { state: State::Gone, .. }) => return Err(Error::Moved),
        Some(_) => {}
    }
    stop_capture(tx).await?;
    tx.execute("DELETE FROM moving WHERE one = 1", params![]).await.map(drop)
}

/// Lets pushes rest until then, or lets them go on.
///
/// # Errors
/// [`Error::TakenOver`] when another command works the move.
pub async fn rest(tx: &mut Tx, worker: &str, until: Option<Timestamp>, now: Timestamp) -> Result<()> {
    refuse_other(find(tx).await?, worker)?;
    let state = if until.is_some() { State::Resting } else { State::Copying };
    tx.execute(
        "UPDATE moving SET state = $1, rests_till = $2, changed_at = $3 WHERE one = 1 AND state IN ('copying', 'resting')",
        params![state.as_str(), until.unwrap_or(now), now],
    )
    .await
    .map(drop)
}

/// Notes how far the move is, for those who ask.
pub async fn note(tx: &mut Tx, worker: &str, progress: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE moving SET progress = $1, changed_at = $2 WHERE one = 1 AND worker = $3",
        params![progress, now, worker],
    )
    .await
    .map(drop)
}

/// Lists those of some blobs that are whole here, as far as is known.
pub async fn healthy(r: &Reader, digests: &[String]) -> Result<Vec<String>> {
    let sql = "SELECT 1 FROM blob WHERE digest = $1 AND damaged_at IS NULL AND condemned_at IS NULL";
    let mut healthy = Vec::new();
    for digest in digests {
        if r.query_opt(sql, params![digest], |_| Ok(())).await?.is_some() {
            healthy.push(digest.clone());
        }
    }
    Ok(healthy)
}

/// Notes those of some blobs that are whole here as changed: their bytes could not be copied, and are to be again.
pub async fn again(tx: &mut Tx, digests: &[String]) -> Result<()> {
    // The trigger does it.
    let sql =
        "UPDATE blob SET digest = digest WHERE digest = $1 AND damaged_at IS NULL AND condemned_at IS NULL";
    for digest in digests {
        tx.execute(sql, params![digest]).await?;
    }
    Ok(())
}

/// Refuses to begin what a switch would cut off, while a move from here is under way.
///
/// # Errors
/// [`Error::Leaving`] then.
pub async fn refuse_leaving(r: &Reader) -> Result<()> {
    match find(r).await? {
        Some(Moving { state: State::Copying | State::Resting, peer, .. }) => Err(Error::Leaving(peer)),
        _ => Ok(()),
    }
}

/// Forgets changes that the target has, durably.
pub async fn forget(tx: &mut Tx, change: i64) -> Result<()> {
    tx.execute("DELETE FROM moving_change WHERE number <= $1", params![change]).await.map(drop)
}

/// Makes the target the truth, if it has everything: from this commit on nothing is written here. Returns false, and changes
/// nothing, if something changed behind `point`.
///
/// # Errors
/// [`Error::TakenOver`] when another command works the move.
pub async fn leave(tx: &mut Tx, worker: &str, point: Point, now: Timestamp) -> Result<bool> {
    let moving = refuse_other(find(tx).await?, worker)?;
    if moving.state == State::Gone {
        return Ok(true);
    }
    if changed(tx, point).await? {
        return Ok(false);
    }
    stop_capture(tx).await?;
    for sql in sources().iter().flat_map(|source| &source.locks).chain(&*LOCKS) {
        tx.execute(sql, params![]).await?;
    }
    tx.execute(
        "UPDATE moving SET state = 'gone', applied = $1, progress = '{}', changed_at = $2 WHERE one = 1",
        params![point.change, now],
    )
    .await?;
    Ok(true)
}
