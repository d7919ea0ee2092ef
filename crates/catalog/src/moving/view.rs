//! What the side that rows leave hands out: pages, what changed, and what everything comes to.

use std::ops::ControlFlow;

use super::row::{Fingerprint, Key, Row};
use super::source::Point;
use super::sql::{Source, sources};
use super::table::Table;
use crate::driver::{Param, Reader, params};
use crate::error::{Error, Result};
use crate::{Catalog, event};

/// Rows handed out at a time.
const BATCH: usize = 4096;
/// Bytes of values after which fewer rows are handed out.
const BATCH_BYTES: usize = 8 << 20;

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
        for source in sources() {
            if source.table.grows {
                grown(r, source, since.event, &mut see).await?;
            } else {
                changed_rows(r, source, since.change, &mut see).await?;
            }
        }
        see(Item::End(point))?;
        if whole() {
            for source in sources() {
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
    let found = sources().iter().find(|source| source.table.name == table.name);
    found.ok_or_else(|| Error::Invalid { what: "table that moves", value: table.name.to_owned() })
}
