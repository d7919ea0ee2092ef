//! `range`: between two values.

use std::ops::Bound;

use berth_catalog::trail::search::{Column, Condition, Value as Limit};
use serde_json::Value;

use super::leaf::text;
use super::{Object, Parser, Query, field_of, none_but};
use crate::search::date::{Moment, Reading, zone};
use crate::search::error::{Error, Result};
use crate::search::field::{self, Field, Kind};
use crate::search::pattern;

const SIDES: [&str; 4] = ["gte", "gt", "lte", "lt"];

impl Parser<'_> {
    pub(super) fn range(&mut self, body: &Object) -> Result<Query> {
        let (name, value) = field_of("range", body, &["boost", "_name"])?;
        let Value::Object(sides) = value else {
            return Err(Error::parsing(format!(
                "[range] query malformed, no start_object after field [{name}]"
            )));
        };
        none_but(
            "range",
            sides,
            &["gte", "gt", "lte", "lt", "format", "time_zone", "boost", "relation", "_name"],
        )?;
        let Some(field) = field::find(name)? else { return Ok(Query::NOTHING) };
        self.between(field, sides)
    }

    /// Finds records whose value in a field lies between those of `sides`.
    pub(super) fn between(&mut self, field: Field, sides: &Object) -> Result<Query> {
        for [one, other] in [["gte", "gt"], ["lte", "lt"]] {
            if present(sides, one).is_some() && present(sides, other).is_some() {
                return Err(Error::parsing(format!(
                    "[range] query: [{one}] and [{other}] exclude each other"
                )));
            }
        }
        let (column, from, until) = match field.kind {
            Kind::Date => {
                let (from, until) = dates(&self.dated(sides)?, sides)?;
                (Column::At, from, until)
            }
            Kind::Long(column) => {
                let (from, until) = values(sides, |side, value| whole(field.name, side, value))?;
                (column, from, until)
            }
            Kind::Keyword(column) => {
                let (from, until) = values(sides, |_, value| text(field.name, value).map(Limit::Text))?;
                (column, from, until)
            }
            Kind::Person | Kind::Address | Kind::Same(_) | Kind::Message => {
                return Err(Error::argument(format!(
                    "Field [{}] of type [{}] does not support range queries",
                    field.name,
                    field.kind.as_str()
                )));
            }
        };
        Ok(Query::Is(Condition::Between(column, from, until)))
    }

    fn dated(&self, sides: &Object) -> Result<Reading> {
        let mut reading = self.reading.clone();
        if let Some(name) = present(sides, "time_zone") {
            reading.zone = zone(&text("time_zone", name)?)?;
        }
        if let Some(format) = present(sides, "format") {
            reading.formats = pattern::parse(&text("format", format)?)?;
        }
        Ok(reading)
    }
}

fn present<'o>(sides: &'o Object, key: &str) -> Option<&'o Value> {
    sides.get(key).filter(|value| !value.is_null())
}

fn values(
    sides: &Object,
    read: impl Fn(&str, &Value) -> Result<Limit>,
) -> Result<(Bound<Limit>, Bound<Limit>)> {
    let (mut from, mut until) = (Bound::Unbounded, Bound::Unbounded);
    for side in SIDES {
        let Some(value) = present(sides, side) else { continue };
        let value = read(side, value)?;
        match side {
            "gte" => from = Bound::Included(value),
            "gt" => from = Bound::Excluded(value),
            "lte" => until = Bound::Included(value),
            _ => until = Bound::Excluded(value),
        }
    }
    Ok((from, until))
}

/// A number; one with a fraction is moved to where the same records lie on either side.
#[expect(clippy::cast_possible_truncation, reason = "beyond the whole numbers the cast takes the last one")]
fn whole(field: &str, side: &str, value: &Value) -> Result<Limit> {
    let text = text(field, value)?;
    if let Ok(number) = text.parse() {
        return Ok(Limit::Int(number));
    }
    match text.parse::<f64>() {
        // More than 1.5 is more than 1; at least 1.5 is at least 2.
        Ok(number) if number.is_finite() => {
            Ok(Limit::Int(if matches!(side, "gte" | "lt") { number.ceil() } else { number.floor() } as i64))
        }
        _ => Err(Error::value(field, format!("For input string: \"{text}\""))),
    }
}

/// What a side names begins at its first and ends behind its last moment: `gt` a day is behind that day.
fn dates(reading: &Reading, sides: &Object) -> Result<(Bound<Limit>, Bound<Limit>)> {
    let (mut from, mut until) = (Bound::Unbounded, Bound::Unbounded);
    for side in SIDES {
        let Some(value) = present(sides, side) else { continue };
        let Moment { from: begin, until: end } = reading.moment(value)?;
        match side {
            "gte" => from = Bound::Included(Limit::Int(begin)),
            "gt" => from = Bound::Included(Limit::Int(end)),
            "lte" => until = Bound::Excluded(Limit::Int(end)),
            _ => until = Bound::Excluded(Limit::Int(begin)),
        }
    }
    Ok((from, until))
}
