//! The questions that a search asks.

use sea_query::{
    Alias, Expr, ExprTrait as _, Func, IntoIden as _, Order, PostgresQueryBuilder, Query, SelectStatement,
    SqliteQueryBuilder,
};

use super::condition::Dialect;
use super::{Column, Condition, Value};
use crate::driver::{Param, Reader, Row};
use crate::error::{Error, Result};
use crate::trail::record::{self, Record};

/// Buckets in one statement.
const BATCH: usize = 500;

/// One part of the order of records; those that have nothing there come last, either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub column: Column,
    /// The greatest first.
    pub descending: bool,
}

/// What the last record of the page before had in the columns of the order.
pub type After = Vec<Option<Value>>;

/// How many records there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// That many, or the bound.
    pub count: u64,
    /// Whether there may be more.
    pub is_bound: bool,
}

/// The records that have the same in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they have.
    pub key: Value,
    /// How many they are.
    pub count: u64,
}

/// What groups are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// How many they are; those of one size by what they have.
    Count,
    /// What they have.
    Value,
}

/// Which way they are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The smallest first.
    Ascending,
    /// The greatest first.
    Descending,
}

/// The first or the last moment of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The first.
    First,
    /// The last.
    Last,
}

/// Lists a page of records.
pub async fn page(
    r: &Reader,
    condition: &Condition,
    order: &[Sort],
    after: Option<&After>,
    offset: u64,
    limit: u64,
) -> Result<Vec<Record>> {
    let dialect = dialect(r);
    let mut select = Query::select();
    for name in [
        "position",
        "id",
        "at",
        "action",
        "outcome",
        "actor",
        "kind",
        "proof",
        "project",
        "repository",
        "tag",
        "digest",
        "status",
        "request_id",
        "client",
        "agent",
        "personal",
        "detail",
        "event",
        "hash",
    ] {
        select.column(Alias::new(name));
    }
    records(&mut select, condition, dialect);
    if let Some(after) = after {
        select.and_where(behind(order, after));
    }
    for sort in order {
        let direction = if sort.descending { Order::Desc } else { Order::Asc };
        if sort.column.is_optional() {
            select.order_by_expr(Expr::col(sort.column).is_null(), Order::Asc);
        }
        select.order_by(sort.column, direction);
    }
    select.limit(limit);
    if offset > 0 {
        select.offset(offset);
    }
    ask(r, &select, record::read).await
}

/// Finds what comes behind a record in an order.
fn behind(order: &[Sort], after: &After) -> Expr {
    let mut ways = Vec::new();
    for (index, (sort, value)) in order.iter().zip(after).enumerate() {
        let Some(value) = value else { continue };
        let column = || Expr::col(sort.column);
        let value = Expr::from(value.clone());
        let beyond = if sort.descending { column().lt(value) } else { column().gt(value) };
        let beyond = if sort.column.is_optional() { beyond.or(column().is_null()) } else { beyond };
        let same = order[..index].iter().zip(after).map(|(sort, value)| match value {
            Some(value) => Expr::col(sort.column).eq(Expr::from(value.clone())),
            None => Expr::col(sort.column).is_null(),
        });
        ways.push(same.fold(beyond, |all, one| one.and(all)));
    }
    let all = ways.into_iter().reduce(Expr::or).unwrap_or_else(|| Expr::cust("FALSE"));
    // Says the same again, in a way that an index understands.
    match (order.first(), after.first()) {
        (Some(sort), Some(Some(value))) if !sort.column.is_optional() => {
            let (column, value) = (Expr::col(sort.column), Expr::from(value.clone()));
            let bound = if sort.descending { column.lte(value) } else { column.gte(value) };
            bound.and(all)
        }
        _ => all,
    }
}

/// Counts records by looking at them, up to a bound if there is one.
pub(super) async fn count(r: &Reader, condition: &Condition, bound: Option<u64>) -> Result<Counted> {
    let dialect = dialect(r);
    let mut select = Query::select();
    let Some(bound) = bound else {
        select.expr(Func::count(Expr::cust("*")));
        records(&mut select, condition, dialect);
        let count = only(ask(r, &select, |row| row.size(0)).await?)?;
        return Ok(Counted { count, is_bound: false });
    };
    let mut some = Query::select();
    some.expr(Expr::cust("1"));
    records(&mut some, condition, dialect);
    some.limit(bound.saturating_add(1));
    select.expr(Func::count(Expr::cust("*"))).from_subquery(some, Alias::new("some"));
    let count = only(ask(r, &select, |row| row.size(0)).await?)?;
    Ok(Counted { count: Ord::min(count, bound), is_bound: count > bound })
}

/// Counts the different values that a column has.
pub async fn count_distinct(r: &Reader, condition: &Condition, column: Column) -> Result<u64> {
    let mut select = Query::select();
    select.expr(Func::count_distinct(Expr::col(column)));
    records(&mut select, condition, dialect(r));
    only(ask(r, &select, |row| row.size(0)).await?)
}

/// Parts records by looking at them, and returns the first groups of at least `least` records.
pub(super) async fn groups(
    r: &Reader,
    condition: &Condition,
    column: Column,
    order: (Key, Direction),
    least: u64,
    limit: u64,
) -> Result<Vec<Group>> {
    let condition = condition.clone().and(Condition::Present(column));
    let many = || Expr::from(Func::count(Expr::cust("*")));
    let mut select = Query::select();
    select.column(column).expr(many());
    records(&mut select, &condition, dialect(r));
    select.group_by_col(column);
    if least > 1 {
        select.and_having(many().gte(i64::try_from(least).unwrap_or(i64::MAX)));
    }
    let (key, direction) = order;
    let direction = if direction == Direction::Descending { Order::Desc } else { Order::Asc };
    match key {
        Key::Count => select.order_by_expr(many(), direction).order_by(column, Order::Asc),
        Key::Value => select.order_by(column, direction),
    };
    select.limit(limit);
    ask(r, &select, |row| {
        let key =
            if column.is_number() { Value::Int(row.int(0)?) } else { Value::Text(row.text(0)?.to_owned()) };
        Ok(Group { key, count: row.size(1)? })
    })
    .await
}

/// Finds the first or last moment of records.
pub async fn edge(r: &Reader, condition: &Condition, edge: Edge) -> Result<Option<i64>> {
    let mut select = Query::select();
    select.column(Column::At);
    records(&mut select, condition, dialect(r));
    select.order_by(Column::At, if edge == Edge::First { Order::Asc } else { Order::Desc }).limit(1);
    Ok(ask(r, &select, |row| row.int(0)).await?.pop())
}

/// Counts the records of each time, from one moment to before another; they begin at different moments, in ascending order. A count of
/// a range in the order of an index is several times faster than to compute each record's range.
pub(super) async fn ranges(r: &Reader, condition: &Condition, pairs: &[(i64, i64)]) -> Result<Vec<u64>> {
    let dialect = dialect(r);
    let mut counts = vec![0; pairs.len()];
    for (batch, counts) in pairs.chunks(BATCH).zip(counts.chunks_mut(BATCH)) {
        let bucket = Alias::new("bucket").into_iden();
        let of = |name: &'static str| Expr::col((bucket.clone(), Alias::new(name)));
        let mut inside = Query::select();
        inside.expr(Func::count(Expr::cust("*")));
        records(&mut inside, condition, dialect);
        inside.and_where(Expr::col(Column::At).gte(of("column1")));
        inside.and_where(Expr::col(Column::At).lt(of("column2")));
        let mut select = Query::select();
        select.expr(of("column1")).expr(Expr::from(inside));
        select.from_values(batch.iter().copied(), bucket.clone());
        for (from, count) in ask(r, &select, |row| Ok((row.int(0)?, row.size(1)?))).await? {
            if let Ok(index) = batch.binary_search_by_key(&from, |(from, _)| *from) {
                counts[index] = count;
            }
        }
    }
    Ok(counts)
}

pub(super) fn records(select: &mut SelectStatement, condition: &Condition, dialect: Dialect) {
    select.from(Alias::new("trail_record"));
    if *condition != Condition::All {
        select.and_where(condition.expression(dialect));
    }
}

pub(super) fn dialect(r: &Reader) -> Dialect {
    if r.shared().is_some() { Dialect::Postgres } else { Dialect::Sqlite }
}

fn only<T>(mut rows: Vec<T>) -> Result<T> {
    rows.pop().ok_or(Error::Closed)
}

pub(super) async fn ask<T>(
    r: &Reader,
    select: &SelectStatement,
    read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let (sql, values) = match dialect(r) {
        Dialect::Sqlite => select.build(SqliteQueryBuilder),
        Dialect::Postgres => select.build(PostgresQueryBuilder),
    };
    let params = values.iter().map(param).collect::<Result<Vec<_>>>()?;
    r.ask(&sql, &params, read).await
}

fn param(value: &sea_query::Value) -> Result<Param<'_>> {
    match value {
        sea_query::Value::BigInt(Some(number)) => Ok(Param::Int(*number)),
        sea_query::Value::BigUnsigned(Some(number)) => Ok(Param::from(*number)),
        sea_query::Value::String(Some(text)) => Ok(Param::Text(text)),
        other => Err(Error::Invalid { what: "search", value: format!("{other:?} is no value of a column") }),
    }
}
