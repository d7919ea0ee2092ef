//! Aggregations as they are asked for: `terms`, `date_histogram`, `cardinality` and `filter`.

mod histogram;

use berth_catalog::trail::search::Key;
use serde_json::{Map, Value};

pub(crate) use histogram::Histogram;

use super::date::Reading;
use super::error::{Error, Result};
use super::field::{self, Field, Kind};
use super::query::{Parser, Query};

/// Levels of aggregations in aggregations.
const MOST_LEVELS: usize = 3;
/// Aggregations of one search.
const MOST: usize = 32;
/// Buckets that one aggregation may ask for.
pub(crate) const MOST_BUCKETS: usize = 10_000;

/// An aggregation, and what is asked of each of its buckets.
#[derive(Debug, Clone)]
pub(crate) struct Named<Q = Query> {
    pub(crate) name: String,
    pub(crate) what: Aggregation<Q>,
    pub(crate) below: Vec<Self>,
    pub(crate) meta: Option<Value>,
}

/// What is asked for; `Q` is a query, or the condition that it came to.
#[derive(Debug, Clone)]
pub(crate) enum Aggregation<Q> {
    Terms(Terms),
    Histogram(Box<Histogram>),
    Cardinality(Option<Field>),
    Filter(Q),
}

/// The values that are most frequent in a field.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// `None` if no record has it.
    pub(crate) field: Option<Field>,
    pub(crate) size: usize,
    pub(crate) by: Key,
    pub(crate) descending: bool,
    pub(crate) least: u64,
}

/// Reads aggregations.
pub(crate) fn parse(value: Option<&Value>, reading: &Reading, parser: &mut Parser<'_>) -> Result<Vec<Named>> {
    let mut count = 0;
    named(value, reading, parser, 0, &mut count)
}

fn named(
    value: Option<&Value>,
    reading: &Reading,
    parser: &mut Parser<'_>,
    level: usize,
    count: &mut usize,
) -> Result<Vec<Named>> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(Vec::new()) };
    let Value::Object(all) = value else { return Err(Error::parsing("[aggs] must be an object")) };
    if level >= MOST_LEVELS && !all.is_empty() {
        return Err(Error::argument(format!(
            "aggregations lie in aggregations more than {MOST_LEVELS} deep"
        )));
    }
    let mut found = Vec::new();
    for (name, body) in all {
        *count += 1;
        if *count > MOST {
            return Err(Error::argument(format!("a search may have {MOST} aggregations")));
        }
        if name.is_empty() || name.contains(['[', ']', '>']) {
            return Err(Error::parsing(format!(
                "Invalid aggregation name [{name}]. Aggregation names can contain any character except '[', ']', and '>'"
            )));
        }
        let Value::Object(body) = body else {
            return Err(Error::parsing(format!("Aggregation definition for [{name}] must be an object")));
        };
        let mut what = None;
        let mut below = None;
        for (key, value) in body {
            match key.as_str() {
                "aggs" | "aggregations" => below = Some(value),
                "meta" => {}
                kind if what.is_none() => what = Some(one(name, kind, value, reading, parser)?),
                kind => {
                    return Err(Error::parsing(format!(
                        "Found two aggregation type definitions in [{name}]: the second is [{kind}]"
                    )));
                }
            }
        }
        let what =
            what.ok_or_else(|| Error::parsing(format!("Missing definition for aggregation [{name}]")))?;
        if matches!(what, Aggregation::Cardinality(_)) && below.is_some() {
            return Err(Error::argument(format!(
                "Aggregator [{name}] of type [cardinality] cannot accept sub-aggregations"
            )));
        }
        let below = named(below, reading, parser, level + 1, count)?;
        found.push(Named { name: name.clone(), what, below, meta: body.get("meta").cloned() });
    }
    Ok(found)
}

fn one(
    name: &str,
    kind: &str,
    value: &Value,
    reading: &Reading,
    parser: &mut Parser<'_>,
) -> Result<Aggregation<Query>> {
    if kind == "filter" {
        return parser.parse(value).map(Aggregation::Filter);
    }
    let Value::Object(body) = value else {
        return Err(Error::parsing(format!("[{kind}] of aggregation [{name}] must be an object")));
    };
    match kind {
        "terms" => terms(body).map(Aggregation::Terms),
        "date_histogram" => Histogram::parse(body, reading).map(Box::new).map(Aggregation::Histogram),
        "cardinality" => {
            none_but(kind, body, &["field", "precision_threshold", "rehash", "execution_hint"])?;
            let field = field_of(kind, body)?;
            if let Some(Field { kind: Kind::Message, .. }) = field {
                return Err(not_by_words());
            }
            Ok(Aggregation::Cardinality(field))
        }
        _ => Err(Error::parsing(format!(
            "Unknown aggregation type [{kind}] of [{name}]: terms, date_histogram, cardinality and filter are supported"
        ))),
    }
}

fn terms(body: &Map<String, Value>) -> Result<Terms> {
    let ignored = [
        "shard_size",
        "show_term_doc_count_error",
        "execution_hint",
        "collect_mode",
        "shard_min_doc_count",
        "value_type",
    ];
    let known: Vec<&str> = ["field", "size", "order", "min_doc_count"].into_iter().chain(ignored).collect();
    none_but("terms", body, &known)?;
    let field = field_of("terms", body)?;
    match field.map(|field| field.kind) {
        Some(Kind::Message) => return Err(not_by_words()),
        Some(Kind::Date) => {
            return Err(Error::argument("[terms] of [@timestamp] is not supported: use [date_histogram]"));
        }
        _ => {}
    }
    let size = body.get("size").map_or(Ok(10), |value| count("size", value))?;
    if size == 0 {
        return Err(Error::argument("[size] must be greater than 0. Found [0] in [terms]"));
    }
    if size > MOST_BUCKETS {
        return Err(Error::too_many_buckets(MOST_BUCKETS));
    }
    let least = body.get("min_doc_count").map_or(Ok(1), |value| count("min_doc_count", value))?;
    if least == 0 {
        return Err(Error::argument("[terms] with [min_doc_count] 0 is not supported"));
    }
    let (by, descending) = order(body.get("order"))?;
    Ok(Terms { field, size, by, descending, least: least as u64 })
}

/// Reads `{"_count": "desc"}`; ties are broken by key whatever else is named.
fn order(value: Option<&Value>) -> Result<(Key, bool)> {
    let first = match value {
        None => return Ok((Key::Count, true)),
        Some(Value::Array(all)) => all.first(),
        one => one,
    };
    let entry = first.and_then(Value::as_object).and_then(|object| object.iter().next());
    let (key, direction) =
        entry.ok_or_else(|| Error::parsing("Must specify at least one field for [order]"))?;
    let descending = match direction.as_str() {
        Some("desc") => true,
        Some("asc") => false,
        _ => return Err(Error::parsing(format!("Unknown order direction [{direction}]"))),
    };
    match key.as_str() {
        "_count" => Ok((Key::Count, descending)),
        "_key" | "_term" => Ok((Key::Value, descending)),
        other => {
            Err(Error::argument(format!("[order] by [{other}] is not supported: use [_count] or [_key]")))
        }
    }
}

fn field_of(kind: &str, body: &Map<String, Value>) -> Result<Option<Field>> {
    match body.get("field").and_then(Value::as_str) {
        Some(name) => field::find(name),
        None => Err(Error::parsing(format!(
            "Required one of fields [field], but none were specified in [{kind}]"
        ))),
    }
}

fn not_by_words() -> Error {
    Error::argument(
        "Text fields are not optimised for operations that require per-document field data like aggregations: [message]",
    )
}

fn none_but(kind: &str, body: &Map<String, Value>, known: &[&str]) -> Result<()> {
    match body.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(Error::parsing(format!("[{kind}] does not support [{key}]"))),
        None => Ok(()),
    }
}

/// Reads a number of things.
pub(super) fn count(key: &str, value: &Value) -> Result<usize> {
    let number = match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    number.and_then(|number| usize::try_from(number).ok()).ok_or_else(|| {
        Error::argument(format!(
            "[{key}] parameter cannot be negative or anything but a number, found [{value}]"
        ))
    })
}
