//! Conditions that the table of hours can answer: a time, and what actions and outcomes tell.

use std::ops::Bound;

use super::{Column, Condition, Value};
use crate::trail::hour::HOUR;

/// Beyond every time that there is, and far from where numbers end.
const FAR: i64 = 1 << 60;

/// A condition, parted into a time and the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Apart {
    /// From then on, in microseconds.
    pub(super) from: i64,
    /// Before then.
    pub(super) until: i64,
    /// What actions and outcomes tell.
    pub(super) rest: Condition,
}

impl Apart {
    /// Parts a condition; `None` if something else plays a part in it.
    pub(super) fn of(condition: &Condition) -> Option<Self> {
        let mut apart = Self { from: -FAR, until: FAR, rest: Condition::All };
        apart.take(condition).then_some(apart)
    }

    fn take(&mut self, condition: &Condition) -> bool {
        match condition {
            Condition::Every(all) => all.iter().all(|one| self.take(one)),
            Condition::Between(Column::At, from, until) => {
                let (Some(from), Some(until)) = (first(from), end(until)) else { return false };
                (self.from, self.until) = (self.from.max(from), self.until.min(until));
                true
            }
            other if is_told(other) => {
                let rest = std::mem::replace(&mut self.rest, Condition::All);
                self.rest = rest.and(other.clone());
                true
            }
            _ => false,
        }
    }

    /// Leaves of the time what lies in `from..until`.
    pub(super) fn within(&self, from: i64, until: i64) -> Parts {
        Parts::of(self.from.max(from), self.until.min(until))
    }
}

/// A time, parted into whole hours and what is left before and behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    /// From the begin of the first hour to the end of the last; empty where the two are the same.
    pub(super) hours: (i64, i64),
    /// What is left; empty ones begin where they end.
    pub(super) edges: [(i64, i64); 2],
}

impl Parts {
    fn of(from: i64, until: i64) -> Self {
        let (first, last) = (-(-from).div_euclid(HOUR) * HOUR, until.div_euclid(HOUR) * HOUR);
        if first >= last {
            return Self { hours: (from, from), edges: [(from, until.max(from)), (from, from)] };
        }
        Self { hours: (first, last), edges: [(from, first), (last, until)] }
    }

    /// Lists what is left.
    pub(super) fn edges(&self) -> impl Iterator<Item = (i64, i64)> {
        self.edges.into_iter().filter(|(from, until)| from < until)
    }

    pub(super) fn has_hours(&self) -> bool {
        self.hours.0 < self.hours.1
    }
}

/// Tells whether action and outcome of a record tell whether a condition holds.
fn is_told(condition: &Condition) -> bool {
    let is_known = |column: &Column| matches!(column, Column::Action | Column::Outcome);
    match condition {
        Condition::All | Condition::Nothing => true,
        Condition::Not(one) => is_told(one),
        Condition::Every(all) | Condition::Any(all) | Condition::AtLeast(_, all) => all.iter().all(is_told),
        // No record is without a time.
        Condition::Present(column) => is_known(column) || !column.is_optional(),
        Condition::In(column, _)
        | Condition::Between(column, ..)
        | Condition::Begins(column, _)
        | Condition::Like(column, _) => is_known(column),
        Condition::Within(_) => false,
    }
}

fn first(bound: &Bound<Value>) -> Option<i64> {
    match bound {
        Bound::Included(Value::Int(at)) => Some(*at),
        Bound::Excluded(Value::Int(at)) => Some(at.saturating_add(1)),
        Bound::Unbounded => Some(-FAR),
        _ => None,
    }
}

fn end(bound: &Bound<Value>) -> Option<i64> {
    match bound {
        Bound::Included(Value::Int(at)) => Some(at.saturating_add(1)),
        Bound::Excluded(Value::Int(at)) => Some(*at),
        Bound::Unbounded => Some(FAR),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
