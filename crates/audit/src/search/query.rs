//! Elasticsearch's query language, as far as it is supported, and what it means for records.
//!
//! Nothing is scored: a query says which records are meant, and their order is that of `sort`.

mod bool;
mod leaf;
mod range;
mod text;
mod words;

pub(crate) use leaf::glob_matches;

use berth_catalog::trail::search::{Condition, Glob};
use serde_json::{Map, Value};

use super::date::Reading;
use super::error::{Error, Result};

/// Levels of queries in queries.
const MOST_LEVELS: usize = 20;
/// Clauses of a whole query.
const MOST_CLAUSES: usize = 500;
/// Values of a whole query.
const MOST_VALUES: usize = 4_096;

/// A query that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Query {
    /// About what the trail itself holds.
    Is(Condition),
    /// About persons by name, who stand in the trail under pseudonyms.
    Person(People),
    Not(Box<Self>),
    Every(Vec<Self>),
    Any(Vec<Self>),
    AtLeast(usize, Vec<Self>),
}

/// Who is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum People {
    Named(Vec<String>),
    Like(Glob),
}

impl Query {
    pub(crate) const ALL: Self = Self::Is(Condition::All);
    pub(crate) const NOTHING: Self = Self::Is(Condition::Nothing);
}

/// Reads queries, and counts what is in them: a small text can hold more work than a server wants to do.
#[derive(Debug)]
pub(crate) struct Parser<'r> {
    reading: &'r Reading,
    clauses: usize,
    values: usize,
}

/// An object of the query language.
type Object = Map<String, Value>;

impl<'r> Parser<'r> {
    pub(crate) fn new(reading: &'r Reading) -> Self {
        Self { reading, clauses: 0, values: 0 }
    }

    /// Reads a query.
    pub(crate) fn parse(&mut self, value: &Value) -> Result<Query> {
        self.query(value, 0)
    }

    fn query(&mut self, value: &Value, level: usize) -> Result<Query> {
        if level >= MOST_LEVELS {
            return Err(Error::too_many(format!("queries lie in queries more than {MOST_LEVELS} deep")));
        }
        self.count_clauses(1)?;
        let Value::Object(object) = value else {
            return Err(Error::parsing("[_na] query malformed, must start with start_object"));
        };
        let mut entries = object.iter();
        let Some((name, body)) = entries.next() else {
            return Err(Error::argument("query malformed, empty clause found"));
        };
        if let Some((other, _)) = entries.next() {
            return Err(Error::parsing(format!(
                "[{name}] malformed query, expected [END_OBJECT] but found [{other}]"
            )));
        }
        let Value::Object(body) = body else {
            return Err(Error::parsing(format!(
                "[{name}] query malformed, no start_object after query name"
            )));
        };
        match name.as_str() {
            "bool" => self.bool(body, level),
            "constant_score" => match body.get("filter") {
                Some(filter) => self.query(filter, level + 1),
                None => Err(Error::parsing("[constant_score] requires a 'filter' element")),
            },
            "match_all" => none_but(name, body, &["boost", "_name"]).map(|()| Query::ALL),
            "match_none" => none_but(name, body, &["boost", "_name"]).map(|()| Query::NOTHING),
            "term" => self.term(body),
            "terms" => self.terms(body),
            "range" => self.range(body),
            "prefix" => self.prefix(body),
            "wildcard" => self.wildcard(body),
            "exists" => Self::exists(body),
            "ids" => self.ids(body),
            "match" | "match_phrase" => self.match_text(name, body),
            "query_string" => self.query_string(body),
            "simple_query_string" => self.simple_query_string(body),
            _ => Err(Error::parsing(format!("unknown query [{name}]"))),
        }
    }

    fn count_clauses(&mut self, count: usize) -> Result<()> {
        self.clauses += count;
        if self.clauses > MOST_CLAUSES {
            return Err(Error::too_many(format!("maxClauseCount is set to {MOST_CLAUSES}")));
        }
        Ok(())
    }

    fn count_values(&mut self, count: usize) -> Result<()> {
        self.values += count;
        if self.values > MOST_VALUES {
            return Err(Error::too_many(format!("a query may have {MOST_VALUES} values")));
        }
        Ok(())
    }
}

/// Refuses parameters that mean something here and are not supported.
fn none_but(query: &str, object: &Object, known: &[&str]) -> Result<()> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(Error::parsing(format!("[{query}] query does not support [{key}]"))),
        None => Ok(()),
    }
}

/// Takes `{"FIELD": …}` apart; other keys than the field are parameters.
fn field_of<'o>(query: &str, object: &'o Object, parameters: &[&str]) -> Result<(&'o str, &'o Value)> {
    let mut fields = object.iter().filter(|(key, _)| !parameters.contains(&key.as_str()));
    match (fields.next(), fields.next()) {
        (Some((field, value)), None) => Ok((field, value)),
        (None, _) => Err(Error::parsing(format!("[{query}] query names no field"))),
        (Some((one, _)), Some((other, _))) => Err(Error::parsing(format!(
            "[{query}] query doesn't support multiple fields, found [{one}] and [{other}]"
        ))),
    }
}

/// Reads a value that may be written as text.
fn is_true(query: &str, object: &Object, key: &str) -> Result<bool> {
    match object.get(key) {
        None => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(Value::String(text)) if text == "true" => Ok(true),
        Some(Value::String(text)) if text == "false" => Ok(false),
        Some(other) => {
            Err(Error::parsing(format!("[{query}] [{key}] is [{other}]: only [true] or [false] are allowed")))
        }
    }
}

#[cfg(test)]
mod tests;
