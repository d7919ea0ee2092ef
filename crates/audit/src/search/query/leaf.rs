//! Queries about one field: `term`, `terms`, `prefix`, `wildcard`, `exists`, `ids`.

use std::net::IpAddr;

use berth_catalog::trail::search::{Column, Condition, Glob, Piece, Value as Bound};
use ipnet::IpNet;
use serde_json::Value;

use super::{Object, Parser, People, Query, field_of, is_true, none_but};
use crate::search::error::{Error, Result};
use crate::search::field::{self, Field, Kind};

/// Longest pattern, in bytes.
const MOST_PATTERN: usize = 256;
/// Most `*` in a pattern.
const MOST_STARS: usize = 8;

impl Parser<'_> {
    pub(super) fn term(&mut self, body: &Object) -> Result<Query> {
        let (name, value) = field_of("term", body, &["boost", "_name"])?;
        let (value, ignores_case) = unwrapped("term", value, &["value"])?;
        let Some(field) = field::find(name)? else { return Ok(Query::NOTHING) };
        if ignores_case && matches!(field.kind, Kind::Keyword(_) | Kind::Person) {
            let glob = Glob { pieces: vec![Piece::Text(text(name, value)?)], ignores_case };
            return self.looks_like(field, glob);
        }
        self.equals(field, std::slice::from_ref(value))
    }

    pub(super) fn terms(&mut self, body: &Object) -> Result<Query> {
        let (name, values) = field_of("terms", body, &["boost", "_name"])?;
        let Value::Array(values) = values else {
            return Err(Error::parsing(format!(
                "[terms] query: the values of [{name}] are no list; a lookup is not supported"
            )));
        };
        let Some(field) = field::find(name)? else { return Ok(Query::NOTHING) };
        self.equals(field, values)
    }

    /// Finds records that have one of the values in a field.
    pub(super) fn equals(&mut self, field: Field, values: &[Value]) -> Result<Query> {
        self.count_values(values.len())?;
        let texts = || values.iter().map(|value| text(field.name, value)).collect::<Result<Vec<_>>>();
        let condition = match field.kind {
            Kind::Keyword(column) => Condition::In(column, texts()?.into_iter().map(Bound::Text).collect()),
            Kind::Person => return Ok(Query::Person(People::Named(texts()?))),
            Kind::Long(column) => {
                let numbers =
                    values.iter().map(|value| number(field.name, value)).collect::<Result<Vec<_>>>()?;
                Condition::In(column, numbers.into_iter().flatten().map(Bound::Int).collect())
            }
            Kind::Same(same) => {
                if texts()?.iter().any(|text| text == same) {
                    Condition::All
                } else {
                    Condition::Nothing
                }
            }
            Kind::Message => {
                let words = texts()?.iter().map(|word| self.word(word)).collect::<Result<Vec<_>>>()?;
                return Ok(Query::Any(words));
            }
            Kind::Date => {
                self.count_clauses(values.len())?;
                let all = values.iter().map(|value| Ok(during(self.reading.moment(value)?)));
                Condition::Any(all.collect::<Result<_>>()?)
            }
            Kind::Address => {
                self.count_clauses(values.len())?;
                let all =
                    texts()?.iter().map(|text| address(field.name, text)).collect::<Result<Vec<_>>>()?;
                Condition::Any(all)
            }
        };
        Ok(Query::Is(condition))
    }

    pub(super) fn prefix(&mut self, body: &Object) -> Result<Query> {
        let (name, value) = field_of("prefix", body, &["boost", "_name"])?;
        let (value, ignores_case) = unwrapped("prefix", value, &["value", "rewrite"])?;
        let Some(field) = field::find(name)? else { return Ok(Query::NOTHING) };
        self.begins(field, text(name, value)?, ignores_case)
    }

    pub(super) fn begins(&mut self, field: Field, text: String, ignores_case: bool) -> Result<Query> {
        if text.len() > MOST_PATTERN {
            return Err(Error::argument(format!(
                "The prefix for field [{}] is longer than {MOST_PATTERN} bytes",
                field.name
            )));
        }
        match field.kind {
            Kind::Keyword(column) if !ignores_case => Ok(Query::Is(Condition::Begins(column, text))),
            _ => self.looks_like(field, Glob { pieces: vec![Piece::Text(text), Piece::Many], ignores_case }),
        }
    }

    pub(super) fn wildcard(&mut self, body: &Object) -> Result<Query> {
        let (name, value) = field_of("wildcard", body, &["boost", "_name"])?;
        let (value, ignores_case) = unwrapped("wildcard", value, &["value", "wildcard", "rewrite"])?;
        let Some(field) = field::find(name)? else { return Ok(Query::NOTHING) };
        let pieces = pattern(field.name, &text(name, value)?)?;
        self.looks_like(field, Glob { pieces, ignores_case })
    }

    /// Finds records whose whole text in a field looks so.
    pub(super) fn looks_like(&mut self, field: Field, glob: Glob) -> Result<Query> {
        match field.kind {
            Kind::Keyword(column) => Ok(Query::Is(Condition::Like(column, glob))),
            Kind::Person => Ok(Query::Person(People::Like(glob))),
            Kind::Same(same) => Ok(if glob_matches(&glob, same) { Query::ALL } else { Query::NOTHING }),
            Kind::Message => match &glob.pieces[..] {
                [Piece::Many] => Ok(Query::ALL),
                [Piece::Text(text)] | [Piece::Text(text), Piece::Many] => self.word(text),
                _ => Err(Error::argument(
                    "field [message] takes words and beginnings of words, no other patterns",
                )),
            },
            Kind::Date | Kind::Long(_) | Kind::Address => Err(Error::argument(format!(
                "Can only use prefix and wildcard queries on keyword and text fields - not on [{}] which is of type [{}]",
                field.name,
                field.kind.as_str()
            ))),
        }
    }

    pub(super) fn exists(body: &Object) -> Result<Query> {
        none_but("exists", body, &["field", "boost", "_name"])?;
        let Some(Value::String(name)) = body.get("field") else {
            return Err(Error::parsing("[exists] must be provided with a [field]"));
        };
        Ok(match field::find(name)? {
            None => Query::NOTHING,
            Some(field) => match field.kind.column() {
                Some(column) => Query::Is(Condition::Present(column)),
                None => Query::ALL,
            },
        })
    }

    pub(super) fn ids(&mut self, body: &Object) -> Result<Query> {
        none_but("ids", body, &["values", "boost", "_name"])?;
        let Some(Value::Array(values)) = body.get("values") else {
            return Err(Error::parsing("[ids] requires a list of [values]"));
        };
        self.count_values(values.len())?;
        let ids = values.iter().map(|value| text("_id", value).map(Bound::Text)).collect::<Result<_>>()?;
        Ok(Query::Is(Condition::In(Column::Id, ids)))
    }
}

/// Takes a value out of an object with parameters, if it lies in one.
fn unwrapped<'v>(query: &str, value: &'v Value, keys: &[&str]) -> Result<(&'v Value, bool)> {
    let Value::Object(object) = value else { return Ok((value, false)) };
    let mut known = vec!["boost", "case_insensitive", "_name"];
    known.extend(keys);
    none_but(query, object, &known)?;
    let value = keys.iter().filter(|key| **key != "rewrite").find_map(|key| object.get(*key));
    let value = value.ok_or_else(|| Error::argument(format!("[{query}] query: value cannot be null")))?;
    Ok((value, is_true(query, object, "case_insensitive")?))
}

/// Reads what a keyword is compared with.
pub(super) fn text(field: &str, value: &Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        Value::Null => Err(Error::argument(format!("value cannot be null (field [{field}])"))),
        other => Err(Error::argument(format!(
            "[{other}] is no value for field [{field}]: write one text or number"
        ))),
    }
}

/// Reads a whole number; `None` for one with a fraction, which no record has.
pub(super) fn number(field: &str, value: &Value) -> Result<Option<i64>> {
    let text = text(field, value)?;
    match text.parse::<i64>() {
        Ok(number) => Ok(Some(number)),
        Err(_) if text.parse::<f64>().is_ok_and(f64::is_finite) => Ok(None),
        Err(_) => Err(Error::value(field, format!("For input string: \"{text}\""))),
    }
}

pub(super) fn address(field: &str, text: &str) -> Result<Condition> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Condition::In(Column::Client, vec![Bound::Text(address.to_string())]));
    }
    let network: IpNet =
        text.parse().map_err(|_| Error::value(field, format!("'{text}' is not an IP string literal.")))?;
    Ok(Condition::Within(network))
}

/// Finds records of a span of time.
pub(super) fn during(moment: crate::search::date::Moment) -> Condition {
    use std::ops::Bound::{Excluded, Included};
    Condition::Between(Column::At, Included(Bound::Int(moment.from)), Excluded(Bound::Int(moment.until)))
}

/// Reads a pattern with `*`, `?` and `\`.
pub(super) fn pattern(field: &str, text: &str) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        let special = match char {
            '*' => Some(Piece::Many),
            '?' => Some(Piece::One),
            _ => None,
        };
        let Some(special) = special else {
            literal.push(if char == '\\' { chars.next().unwrap_or('\\') } else { char });
            continue;
        };
        if !literal.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut literal)));
        }
        if special != Piece::Many || pieces.last() != Some(&Piece::Many) {
            pieces.push(special);
        }
    }
    if !literal.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    let stars = pieces.iter().filter(|piece| **piece == Piece::Many).count();
    if text.len() > MOST_PATTERN || stars > MOST_STARS {
        return Err(Error::argument(format!(
            "The pattern for field [{field}] is too large: {MOST_PATTERN} bytes and {MOST_STARS} times [*] are allowed"
        )));
    }
    Ok(pieces)
}

/// Tells whether a pattern of a field that is the same in all records matches.
pub(crate) fn glob_matches(glob: &Glob, text: &str) -> bool {
    fn rest(pieces: &[Piece], text: &str) -> bool {
        match pieces.split_first() {
            None => text.is_empty(),
            Some((Piece::Text(literal), pieces)) => {
                text.strip_prefix(literal.as_str()).is_some_and(|text| rest(pieces, text))
            }
            Some((Piece::One, pieces)) => {
                let mut chars = text.chars();
                chars.next().is_some() && rest(pieces, chars.as_str())
            }
            Some((Piece::Many, pieces)) => {
                (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| rest(pieces, &text[at..]))
            }
        }
    }
    if !glob.ignores_case {
        return rest(&glob.pieces, text);
    }
    let small = |piece: &Piece| match piece {
        Piece::Text(text) => Piece::Text(text.to_lowercase()),
        other => other.clone(),
    };
    rest(&glob.pieces.iter().map(small).collect::<Vec<_>>(), &text.to_lowercase())
}
