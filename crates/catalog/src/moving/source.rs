//! The side that rows leave: notes what changes, hands out rows, and refuses writes in the end.

use std::ops::ControlFlow;

use jiff::Timestamp;

use super::row::{Fingerprint, Key, Row};
use super::table::{self, LOCKS, Source, Table};
use super::{Moving, State, find, refuse_other};
use crate::driver::{Param, Reader, params};
use crate::error::{Error, Result};
use crate::tx::Tx;
use crate::{Catalog, event};

/// Rows handed out at a time.
const BATCH: usize = 4096;
/// Bytes of values after which fewer rows are handed out.
const BATCH_BYTES: usize = 8 << 20;

/// How much of the source the target has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Point {
    /// Number of the last change.
    pub change: i64,
    /// Position of the last event.
    pub event: i64,
}

/// Something of one view of the source.
#[derive(Debug)]
pub enum Item {
    /// Rows that changed, or came, in the order of their keys.
    Rows(&'static Table, Vec<Row>),
    /// Keys of rows that are gone, in order.
    Gone(&'static Table, Vec<Key>),
    /// Everything up to here was handed out.
    End(Point),
    /// What all rows of a table come to.
    Whole(&'static Table, Fingerprint),
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
    for sql in table::sources().iter().flat_map(|source| &source.triggers) {
        tx.execute(sql, params![]).await?;
    }
    Ok(())
}

async fn stop_capture(tx: &mut Tx) -> Result<()> {
    for sql in table::sources().iter().flat_map(|source| &source.drops) {
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
    for sql in table::sources().iter().flat_map(|source| &source.locks).chain(&*LOCKS) {
        tx.execute(sql, params![]).await?;
    }
    tx.execute(
        "UPDATE moving SET state = 'gone', applied = $1, progress = '{}', changed_at = $2 WHERE one = 1",
        params![point.change, now],
    )
    .await?;
    Ok(true)
}

/// Tells whether anything changed behind `point`.
pub async fn changed(r: &Reader, point: Point) -> Result<bool> {
    let sql = "SELECT 1 FROM moving_change WHERE number > $1 ORDER BY number LIMIT 1";
    let noted = r.query_opt(sql, params![point.change], |_| Ok(())).await?.is_some();
    Ok(noted || event::last(r).await?.0 != point.event)
}

/// Counts rows that changed and that the target does not have yet, as far as it was noted that it has them.
pub async fn waiting(r: &Reader) -> Result<u64> {
    Ok(r.query_opt("SELECT COUNT(*) FROM moving_change", params![], |row| row.size(0)).await?.unwrap_or(0))
}

/// Counts the rows of a table that move.
pub async fn count(r: &Reader, table: &Table) -> Result<u64> {
    Ok(r.query_opt(&source(table)?.count, params![], |row| row.size(0)).await?.unwrap_or(0))
}

/// Lists a page of rows behind `after` that have not changed since the move began.
pub async fn page(r: &Reader, table: &Table, after: &Key, limit: usize) -> Result<Vec<Row>> {
    let source = source(table)?;
    let mut params = after.params(table);
    params.push(Param::from(limit));
    let mut rows = Vec::new();
    let mut bytes = 0;
    r.each(&source.page, &params, |row| {
        if let Some(row) = Row::read(&source.table, row, 0)? {
            bytes += row.bytes();
            rows.push(row);
        }
        Ok(if bytes < BATCH_BYTES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })
    .await?;
    Ok(rows)
}

/// Hands out what changed behind `since`, in one view of the source, then what every table comes to if `whole` says so after
/// [`Item::End`]. Blocks its thread. `place` is shown each row before it is hashed.
///
/// # Errors
/// Those of `see`, which end it.
pub fn changes(
    catalog: &Catalog,
    since: Point,
    mut see: impl FnMut(Item) -> Result<()>,
    whole: impl FnOnce() -> bool,
    place: impl Fn(&Table, &mut Row) -> Result<()>,
) -> Result<Point> {
    catalog.view(async |r| {
        let newest = "SELECT COALESCE(MAX(number), 0) FROM moving_change";
        let change = r.query_opt(newest, params![], |row| row.int(0)).await?.unwrap_or(0).max(since.change);
        let point = Point { change, event: event::last(r).await?.0 };
        for source in table::sources() {
            if source.table.grows {
                grown(r, source, since.event, &mut see).await?;
            } else {
                changed_rows(r, source, since.change, &mut see).await?;
            }
        }
        see(Item::End(point))?;
        if whole() {
            for source in table::sources() {
                see(Item::Whole(&source.table, fingerprint(r, source, &place).await?))?;
            }
        }
        Ok(point)
    })
}

async fn grown(
    r: &Reader,
    source: &'static Source,
    since: i64,
    see: &mut impl FnMut(Item) -> Result<()>,
) -> Result<()> {
    let mut after = Key { first: since, ..Key::default() };
    loop {
        let rows = page(r, &source.table, &after, BATCH).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.key(&source.table);
        see(Item::Rows(&source.table, rows))?;
    }
}

async fn changed_rows(
    r: &Reader,
    source: &'static Source,
    since: i64,
    see: &mut impl FnMut(Item) -> Result<()>,
) -> Result<()> {
    let (mut rows, mut gone, mut bytes) = (Vec::new(), Vec::new(), 0);
    r.each(&source.changed, params![since], |row| {
        match Row::read(&source.table, row, 3)? {
            Some(row) => {
                bytes += row.bytes();
                rows.push(row);
            }
            None => gone.push(Key::read(row)?),
        }
        if rows.len() >= BATCH || bytes >= BATCH_BYTES {
            bytes = 0;
            see(Item::Rows(&source.table, std::mem::take(&mut rows)))?;
        }
        Ok(ControlFlow::Continue(()))
    })
    .await?;
    if !rows.is_empty() {
        see(Item::Rows(&source.table, rows))?;
    }
    if gone.is_empty() { Ok(()) } else { see(Item::Gone(&source.table, gone)) }
}

async fn fingerprint(
    r: &Reader,
    source: &'static Source,
    place: &impl Fn(&Table, &mut Row) -> Result<()>,
) -> Result<Fingerprint> {
    let mut whole = Fingerprint::default();
    r.each(&source.every, params![], |row| {
        if let Some(mut row) = Row::read(&source.table, row, 0)? {
            place(&source.table, &mut row)?;
            whole.add(&row);
        }
        Ok(ControlFlow::Continue(()))
    })
    .await?;
    Ok(whole)
}

fn source(table: &Table) -> Result<&'static Source> {
    let found = table::sources().iter().find(|source| source.table.name == table.name);
    found.ok_or_else(|| Error::Invalid { what: "table that moves", value: table.name.to_owned() })
}
