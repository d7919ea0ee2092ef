//! Takes in what another trail holds, from a backup or from a database that is left: record by record as it was, so that every hash and
//! every signature goes on saying what it said.

use super::archived::{self, Archived};
use super::checkpoint::{self, Checkpoint};
use super::head::{self, Head};
use super::hour::{self, Hours};
use super::record::{Hash, Record};
use super::{chain, cursor};
use crate::driver::{Reader, params};
use crate::error::{Error, Result};
use crate::tx::Tx;

/// The cursor that says how far another trail has been taken in.
const CURSOR: &str = "taken";
/// The one that says up to where it was looked through for more.
const LATE: &str = "taken-late";

/// Prepares an empty trail to begin behind `before` with the record `first`, or goes on with one that begins so.
///
/// # Errors
/// [`Error::NotFree`] if it holds something else.
pub async fn begin(tx: &mut Tx, first: i64, before: Hash) -> Result<Head> {
    let mut head = head::take(tx).await?;
    if head.position == 0 && head.first == 1 {
        head = Head { position: first - 1, hash: before, event: 0, first, before };
        head::save(tx, &head).await?;
    }
    if (head.first, head.before) == (first, before) {
        return Ok(head);
    }
    Err(Error::NotFree(
        "the audit trail there holds something else: take an empty database or directory".into(),
    ))
}

/// Takes in the next records, which must follow those that are there.
///
/// # Errors
/// [`Error::Invalid`] if they don't.
pub async fn append(tx: &mut Tx, records: &[Record]) -> Result<Head> {
    let mut head = head::take(tx).await?;
    let mut brought = Hours::default();
    for record in records {
        if record.position != head.position + 1 {
            let value = format!("record {} comes behind record {}", record.position, head.position);
            return Err(Error::Invalid { what: "audit trail", value });
        }
        (head.position, head.hash) = (record.position, record.hash);
        head.event = record.entry.event.unwrap_or(head.event);
        brought.add(&record.entry);
        chain::put(tx, &head, &record.entry).await?;
    }
    brought.save(tx).await?;
    head::save(tx, &head).await?;
    cursor::put(tx, CURSOR, head.position).await?;
    Ok(head)
}

/// Takes in what was signed, and how far the event log had been copied.
pub async fn finish(
    tx: &mut Tx,
    checkpoints: &[Checkpoint],
    statements: &[Archived],
    event: i64,
) -> Result<()> {
    let mut head = head::take(tx).await?;
    for checkpoint in checkpoints {
        checkpoint::insert(tx, checkpoint).await?;
    }
    for statement in statements {
        archived::insert(tx, statement).await?;
    }
    head.event = head.event.max(event);
    head::save(tx, &head).await
}

/// Removes records that were archived where they come from: the trail begins behind `before` with the record `first`.
pub async fn begin_later(tx: &mut Tx, first: i64, before: Hash) -> Result<()> {
    let mut head = head::take(tx).await?;
    hour::forget(tx, first - 1).await?;
    tx.post("DELETE FROM trail_record WHERE position < $1", params![first]).await?;
    (head.first, head.before) = (first, before);
    head::save(tx, &head).await
}

/// Empties a trail that another was being taken into, if it is one.
pub async fn clear(tx: &mut Tx) -> Result<()> {
    head::take(tx).await?;
    if cursor::find(tx, CURSOR).await?.is_none() {
        return Ok(());
    }
    for sql in [
        "DELETE FROM trail_record",
        "DELETE FROM trail_hour",
        "DELETE FROM trail_checkpoint",
        "DELETE FROM trail_archive",
        "DELETE FROM trail_cursor",
    ] {
        tx.post(sql, params![]).await?;
    }
    let empty = Head { position: 0, hash: Hash::ZERO, event: 0, first: 1, before: Hash::ZERO };
    head::save(tx, &empty).await
}

/// Notes up to which of its positions the other trail was looked through for what came after it had been taken in.
pub async fn note_late(tx: &mut Tx, position: i64) -> Result<()> {
    head::take(tx).await?;
    cursor::put(tx, LATE, position).await
}

/// Returns how far another trail has been taken in as it was, and up to where it was looked through for more; `None` if none was.
pub async fn taken(r: &Reader) -> Result<Option<(i64, i64)>> {
    let Some(taken) = cursor::find(r, CURSOR).await? else { return Ok(None) };
    let late = cursor::find(r, LATE).await?;
    Ok(Some((taken, late.unwrap_or(taken))))
}
