//! Counting many records: whole hours from their table, what is left from the records themselves.

use std::collections::BTreeMap;

use sea_query::{Alias, Expr, ExprTrait as _, Query, SelectStatement};

use super::apart::{Apart, Parts};
use super::ask::{self, Counted, Direction, Group, Key};
use super::{Column, Condition, Value};
use crate::driver::Reader;
use crate::error::Result;

/// Counts records, up to a bound if there is one.
pub async fn count(r: &Reader, condition: &Condition, bound: Option<u64>) -> Result<Counted> {
    let Some(apart) = Apart::of(condition) else { return ask::count(r, condition, bound).await };
    let parts = apart.within(i64::MIN, i64::MAX);
    // So few are soon found among all.
    if !parts.has_hours() || (bound.is_some() && apart.rest == Condition::All) {
        return ask::count(r, condition, bound).await;
    }
    let mut select = Query::select();
    select.expr(Expr::cust("CAST(COALESCE(SUM(records), 0) AS BIGINT)"));
    of_hours(r, &mut select, &apart, &parts);
    let mut count: u64 = ask::ask(r, &select, |row| row.size(0)).await?.iter().sum();
    count += edges(r, &apart, parts.edges()).await?.iter().sum::<u64>();
    let is_bound = bound.is_some_and(|bound| count > bound);
    Ok(Counted { count: bound.map_or(count, |bound| Ord::min(count, bound)), is_bound })
}

/// Parts records by what they have in a column, and returns the first groups of at least `least` records.
pub async fn groups(
    r: &Reader,
    condition: &Condition,
    column: Column,
    order: (Key, Direction),
    least: u64,
    limit: u64,
) -> Result<Vec<Group>> {
    let apart = Apart::of(condition).filter(|_| matches!(column, Column::Action | Column::Outcome));
    let parts = apart.as_ref().map(|apart| apart.within(i64::MIN, i64::MAX));
    let (Some(apart), Some(parts)) = (apart, parts.filter(Parts::has_hours)) else {
        return ask::groups(r, condition, column, order, least, limit).await;
    };
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut select = Query::select();
    select.column(column).expr(Expr::cust("CAST(SUM(records) AS BIGINT)"));
    of_hours(r, &mut select, &apart, &parts);
    select.group_by_col(column);
    let whole = ask::ask(r, &select, |row| Ok((row.text(0)?.to_owned(), row.size(1)?))).await?;
    counts.extend(whole);
    for (from, until) in parts.edges() {
        let inside = apart.rest.clone().and(time(from, until));
        let all = (Key::Value, Direction::Ascending);
        for group in ask::groups(r, &inside, column, all, 1, u64::from(u32::MAX)).await? {
            let Value::Text(key) = group.key else { continue };
            *counts.entry(key).or_default() += group.count;
        }
    }
    let mut groups: Vec<(String, u64)> = counts.into_iter().filter(|(_, count)| *count >= least).collect();
    // They come in the order of their keys, and those that are equal stay so.
    match order {
        (Key::Value, Direction::Ascending) => {}
        (Key::Value, Direction::Descending) => groups.reverse(),
        (Key::Count, Direction::Ascending) => groups.sort_by_key(|(_, count)| *count),
        (Key::Count, Direction::Descending) => groups.sort_by_key(|(_, count)| std::cmp::Reverse(*count)),
    }
    groups.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(groups.into_iter().map(|(key, count)| Group { key: Value::Text(key), count }).collect())
}

/// Counts the records between each two of the times in `bounds`, which ascend.
pub async fn buckets(r: &Reader, condition: &Condition, bounds: &[i64]) -> Result<Vec<u64>> {
    let pairs: Vec<(i64, i64)> = bounds.windows(2).map(|pair| (pair[0], pair[1])).collect();
    let Some(apart) = Apart::of(condition) else { return ask::ranges(r, condition, &pairs).await };
    let parts: Vec<Parts> = pairs.iter().map(|(from, until)| apart.within(*from, *until)).collect();
    let mut counts = vec![0; parts.len()];
    if let (Some(first), Some(last)) =
        (parts.iter().find(|parts| parts.has_hours()), parts.iter().rfind(|parts| parts.has_hours()))
    {
        let all = Parts { hours: (first.hours.0, last.hours.1), ..*first };
        let mut select = Query::select();
        select.expr(Expr::col(hour())).expr(Expr::cust("CAST(SUM(records) AS BIGINT)"));
        of_hours(r, &mut select, &apart, &all);
        select.group_by_col(hour());
        for (begin, records) in ask::ask(r, &select, |row| Ok((row.int(0)?, row.size(1)?))).await? {
            // In the last bucket that begins no later, if it is in that one's hours at all.
            let index = pairs.partition_point(|(from, _)| *from <= begin).checked_sub(1);
            let Some(index) = index else { continue };
            let (from, until) = parts[index].hours;
            if (from..until).contains(&begin) {
                counts[index] += records;
            }
        }
    }
    let left =
        parts.iter().enumerate().flat_map(|(index, parts)| parts.edges().map(move |edge| (index, edge)));
    let (indices, left): (Vec<usize>, Vec<(i64, i64)>) = left.unzip();
    for (index, count) in indices.into_iter().zip(edges(r, &apart, left.into_iter()).await?) {
        counts[index] += count;
    }
    Ok(counts)
}

/// The begin of an hour: the one column that records have not.
fn hour() -> Alias {
    Alias::new("hour")
}

fn of_hours(r: &Reader, select: &mut SelectStatement, apart: &Apart, parts: &Parts) {
    select.from(Alias::new("trail_hour"));
    select.and_where(Expr::col(hour()).gte(parts.hours.0));
    select.and_where(Expr::col(hour()).lt(parts.hours.1));
    if apart.rest != Condition::All {
        select.and_where(apart.rest.expression(ask::dialect(r)));
    }
}

async fn edges(r: &Reader, apart: &Apart, edges: impl Iterator<Item = (i64, i64)>) -> Result<Vec<u64>> {
    ask::ranges(r, &apart.rest, &edges.collect::<Vec<_>>()).await
}

fn time(from: i64, until: i64) -> Condition {
    use std::ops::Bound::{Excluded, Included};
    Condition::Between(Column::At, Included(Value::Int(from)), Excluded(Value::Int(until)))
}
