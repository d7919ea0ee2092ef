//! Conditions as expressions of SQL.

use std::ops::Bound;

use sea_query::{Alias, Expr, ExprTrait, Func, LikeExpr};

use super::{Column, Condition, Glob, Value};

/// Which database an expression is for, where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// The function of SQLite that tells whether an address lies in a network; see `reader`.
pub(crate) const IN_NETWORK: &str = "berth_in_network";

impl From<Value> for Expr {
    fn from(value: Value) -> Self {
        match value {
            Value::Int(number) => Self::val(number),
            Value::Text(text) => Self::val(text),
        }
    }
}

impl Condition {
    pub(super) fn expression(&self, dialect: Dialect) -> Expr {
        match self {
            Self::Present(column) if column.is_optional() => Expr::col(*column).is_not_null(),
            Self::All | Self::Present(_) => Expr::cust("TRUE"),
            Self::Nothing => Expr::cust("FALSE"),
            // NULL compares with nothing: what is not known to hold does not.
            Self::Not(one) => one.total(dialect).not(),
            Self::Every(all) => join(all, dialect, Expr::and, "TRUE"),
            Self::Any(all) => join(all, dialect, Expr::or, "FALSE"),
            Self::AtLeast(least, all) => {
                let ones = all.iter().map(|one| {
                    let case = sea_query::CaseStatement::new().case(one.expression(dialect), 1_i64);
                    Expr::Case(Box::new(case.finally(0_i64)))
                });
                let sum = ones.reduce(ExprTrait::add).unwrap_or_else(|| Expr::cust("0"));
                sum.gte(i64::try_from(*least).unwrap_or(i64::MAX))
            }
            Self::In(column, values) => match &values[..] {
                [] => Expr::cust("FALSE"),
                [one] => Expr::col(*column).eq(Expr::from(one.clone())),
                many => Expr::col(*column).is_in(many.iter().cloned().map(Expr::from)),
            },
            Self::Between(column, from, until) => between(*column, from, until),
            Self::Begins(column, text) => begins(*column, text),
            Self::Like(column, glob) => like(*column, glob, dialect),
            Self::Within(network) => {
                let (column, network) = (Expr::col(Column::Client), Expr::val(network.trunc().to_string()));
                match dialect {
                    Dialect::Sqlite => {
                        Expr::cust_with_exprs(format!("{IN_NETWORK}(?, ?)"), [column, network])
                    }
                    Dialect::Postgres => {
                        Expr::cust_with_exprs("CAST($1 AS INET) <<= CAST($2 AS INET)", [column, network])
                    }
                }
            }
        }
    }

    /// An expression that is never NULL.
    fn total(&self, dialect: Dialect) -> Expr {
        let expression = self.expression(dialect);
        match self {
            Self::All | Self::Nothing | Self::Present(_) | Self::Not(_) | Self::AtLeast(..) => expression,
            Self::Every(all) => join_with(all.iter().map(|one| one.total(dialect)), Expr::and, "TRUE"),
            Self::Any(all) => join_with(all.iter().map(|one| one.total(dialect)), Expr::or, "FALSE"),
            Self::In(column, _)
            | Self::Between(column, ..)
            | Self::Begins(column, _)
            | Self::Like(column, _) => guarded(*column, expression),
            Self::Within(_) => guarded(Column::Client, expression),
        }
    }
}

fn guarded(column: Column, expression: Expr) -> Expr {
    if column.is_optional() { Expr::col(column).is_not_null().and(expression) } else { expression }
}

fn join(all: &[Condition], dialect: Dialect, by: fn(Expr, Expr) -> Expr, none: &'static str) -> Expr {
    join_with(all.iter().map(|one| one.expression(dialect)), by, none)
}

fn join_with(all: impl Iterator<Item = Expr>, by: fn(Expr, Expr) -> Expr, none: &'static str) -> Expr {
    all.reduce(by).unwrap_or_else(|| Expr::cust(none))
}

fn between(column: Column, from: &Bound<Value>, until: &Bound<Value>) -> Expr {
    let column = || Expr::col(column);
    let value = |value: &Value| Expr::from(value.clone());
    let from = match from {
        Bound::Included(bound) => Some(column().gte(value(bound))),
        Bound::Excluded(bound) => Some(column().gt(value(bound))),
        Bound::Unbounded => None,
    };
    let until = match until {
        Bound::Included(bound) => Some(column().lte(value(bound))),
        Bound::Excluded(bound) => Some(column().lt(value(bound))),
        Bound::Unbounded => None,
    };
    from.into_iter().chain(until).reduce(Expr::and).unwrap_or_else(|| column().is_not_null())
}

/// A range where the index can find it; columns sort by bytes on both databases, but for two.
fn begins(column: Column, text: &str) -> Expr {
    let from = Expr::col(column).gte(Expr::val(text.to_owned()));
    let until = match behind(text) {
        Some(end) => from.and(Expr::col(column).lt(Expr::val(end))),
        None => from,
    };
    if matches!(column, Column::Id | Column::Agent) {
        // These two sort as the database likes.
        let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        let begin = Func::cust(Alias::new("substr")).args([
            Expr::col(column),
            Expr::val(1_i64).cast_as(Alias::new("integer")),
            Expr::val(length).cast_as(Alias::new("integer")),
        ]);
        return Expr::from(begin).eq(text.to_owned());
    }
    until
}

/// Returns the first text that is behind all that begin so.
fn behind(text: &str) -> Option<String> {
    let mut chars: Vec<char> = text.chars().collect();
    while let Some(last) = chars.pop() {
        // What lies between these two is no character; behind the last of all comes none.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

fn like(column: Column, glob: &Glob, dialect: Dialect) -> Expr {
    match (dialect, glob.ignores_case) {
        (Dialect::Sqlite, false) => {
            Expr::cust_with_exprs("? GLOB ?", [Expr::col(column), Expr::val(glob.glob())])
        }
        // One ignores case by itself, the other minds it.
        (Dialect::Sqlite, true) | (Dialect::Postgres, false) => {
            Expr::col(column).like(LikeExpr::new(glob.like()).escape('\\'))
        }
        (Dialect::Postgres, true) => {
            Expr::cust_with_exprs(r"$1 ILIKE $2 ESCAPE '\'", [Expr::col(column), Expr::val(glob.like())])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::behind;

    #[test]
    fn the_end_of_a_prefix_is_behind_all_that_begin_so() {
        assert_eq!(behind("lib"), Some("lic".into()));
        assert_eq!(behind("a\u{10ffff}"), Some("b".into()));
        assert_eq!(behind("\u{10ffff}"), None);
        assert_eq!(behind("\u{d7ff}"), Some("\u{e000}".into()));
        assert_eq!(behind(""), None);
    }
}
