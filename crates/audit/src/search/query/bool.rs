//! `bool`: what must, may and must not be so.

use serde_json::Value;

use super::{Object, Parser, Query, none_but};
use crate::search::error::{Error, Result};

impl Parser<'_> {
    pub(super) fn bool(&mut self, body: &Object, level: usize) -> Result<Query> {
        let known = [
            "must",
            "filter",
            "should",
            "must_not",
            "minimum_should_match",
            "boost",
            "_name",
            "adjust_pure_negative",
        ];
        none_but("bool", body, &known)?;
        let mut every = Vec::new();
        for key in ["must", "filter"] {
            every.extend(self.clauses(body.get(key), key, level)?);
        }
        let should = self.clauses(body.get("should"), "should", level)?;
        for query in self.clauses(body.get("must_not"), "must_not", level)? {
            every.push(Query::Not(Box::new(query)));
        }
        // With something that must be so, the rest may be so: it only scores.
        let has_others =
            ["must", "filter"].iter().any(|key| body.get(*key).is_some_and(|value| !is_empty(value)));
        let usual = usize::from(!has_others && !should.is_empty());
        let least = match body.get("minimum_should_match") {
            None | Some(Value::Null) => usual,
            Some(value) => minimum(value, should.len())?,
        };
        if least > should.len() {
            return Ok(Query::NOTHING);
        }
        match least {
            0 => {}
            1 => every.push(Query::Any(should)),
            all if all == should.len() => every.extend(should),
            some => every.push(Query::AtLeast(some, should)),
        }
        Ok(Query::Every(every))
    }

    fn clauses(&mut self, value: Option<&Value>, key: &str, level: usize) -> Result<Vec<Query>> {
        match value {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(all)) => all.iter().map(|one| self.query(one, level + 1)).collect(),
            Some(one @ Value::Object(_)) => Ok(vec![self.query(one, level + 1)?]),
            Some(other) => Err(Error::parsing(format!(
                "[bool] [{key}] is [{other}]: a query, or a list of queries, is wanted"
            ))),
        }
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// Reads `2`, `"2"`, `"-1"`, `"75%"` or `"-25%"`, of so many clauses.
pub(super) fn minimum(value: &Value, of: usize) -> Result<usize> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    };
    let wrong = || {
        Error::parsing(format!(
            "[minimum_should_match] [{text}] is not supported: write a number or a percentage"
        ))
    };
    let all = i64::try_from(of).unwrap_or(i64::MAX);
    let least = if let Some(percent) = text.strip_suffix('%') {
        let percent: i64 = percent.parse().map_err(|_| wrong())?;
        let share = all.saturating_mul(percent.abs()) / 100;
        if percent < 0 { all - share } else { share }
    } else {
        let number: i64 = text.parse().map_err(|_| wrong())?;
        if number < 0 { all.saturating_add(number) } else { number }
    };
    Ok(usize::try_from(least.max(0)).unwrap_or(usize::MAX))
}
