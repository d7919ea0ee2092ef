//! The body of a search, and what its address adds to it.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::aggregation::{self, Named, count};
use super::date::Reading;
use super::error::{Error, Result};
use super::query::{Parser, Query};
use super::shown::Shown;
use super::sort::Ordering;
use super::source::Source;
use berth_catalog::trail::search::After;

/// Records that pages may reach; further ones are reached by `search_after`.
const WINDOW: usize = 10_000;

/// A search that was read.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) query: Query,
    pub(crate) from: usize,
    pub(crate) size: usize,
    pub(crate) order: Ordering,
    pub(crate) after: Option<After>,
    pub(crate) track: Track,
    pub(crate) source: Source,
    pub(crate) shown: Shown,
    /// Whether each record says which version of it this is: always the first.
    pub(crate) shows_version: bool,
    pub(crate) aggregations: Vec<Named>,
    /// Whether the total is a bare number, as it was before version 7.
    pub(crate) is_total_bare: bool,
    /// Whether names of aggregations say of which type they are, as clients of some languages need it.
    pub(crate) types_keys: bool,
}

/// How exactly matching records are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Track {
    Nothing,
    UpTo(u64),
    All,
}

/// Parameters of the address that mean nothing here, or only how the answer looks to eyes.
const IGNORED: [&str; 17] = [
    "pretty",
    "human",
    "error_trace",
    "ignore_unavailable",
    "allow_no_indices",
    "expand_wildcards",
    "ignore_throttled",
    "preference",
    "routing",
    "request_cache",
    "batched_reduce_size",
    "max_concurrent_shard_requests",
    "pre_filter_shard_size",
    "ccs_minimize_roundtrips",
    "allow_partial_search_results",
    "timeout",
    "analyze_wildcard",
];
const KEYS: [&str; 20] = [
    "query",
    "from",
    "size",
    "sort",
    "search_after",
    "track_total_hits",
    "track_scores",
    "_source",
    "aggs",
    "aggregations",
    "timeout",
    "version",
    "seq_no_primary_term",
    "explain",
    "fields",
    "docvalue_fields",
    "stored_fields",
    "script_fields",
    "runtime_mappings",
    // Found words are not marked.
    "highlight",
];

impl Request {
    /// Reads a body (null for none) and the address's parameters.
    pub(crate) fn parse(body: &Value, parameters: &[(String, String)], now: Timestamp) -> Result<Self> {
        let mut body = object(body)?;
        let (mut is_total_bare, mut types_keys) = (false, false);
        for (key, value) in parameters {
            let is_on = value.is_empty() || value == "true";
            match key.as_str() {
                "rest_total_hits_as_int" => is_total_bare = is_on,
                "typed_keys" => types_keys = is_on,
                "search_type" if value == "query_then_fetch" => {}
                key => add(&mut body, key, value, parameters)?,
            }
        }
        if let Some(key) = body.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(Error::parsing(format!("Unknown key [{key}] in a search: it is not supported")));
        }
        refuse(&body)?;
        let number = |key: &str, usual: usize| body.get(key).map_or(Ok(usual), |value| count(key, value));
        let (from, size) = (number("from", 0)?, number("size", 10)?);
        if from.saturating_add(size) > WINDOW {
            return Err(Error::argument(format!(
                "Result window is too large, from + size must be less than or equal to: [{WINDOW}] but was [{}]. Go on with [search_after].",
                from.saturating_add(size)
            )));
        }
        let reading = Reading::at(now);
        let order = Ordering::parse(body.get("sort"))?;
        let after = order.after(body.get("search_after"), &reading)?;
        if after.is_some() && from > 0 {
            return Err(Error::argument("`from` parameter must be set to 0 when `search_after` is used."));
        }
        let mut parser = Parser::new(&reading);
        let query = body.get("query").map_or(Ok(Query::ALL), |query| parser.parse(query))?;
        let asked = body.get("aggs").or_else(|| body.get("aggregations"));
        let aggregations = aggregation::parse(asked, &reading, &mut parser)?;
        // No field is stored by itself; who asks for such means not the whole document.
        let by_itself = body.get("stored_fields").is_some_and(|names| !names.to_string().contains("_source"));
        let nothing = Value::Bool(false);
        let source = Source::parse(body.get("_source").or(by_itself.then_some(&nothing)))?;
        let (shown, shows_version) = (Shown::parse(&body)?, body.get("version") == Some(&Value::Bool(true)));
        let track = track(body.get("track_total_hits"))?;
        if is_total_bare && track != Track::All && body.contains_key("track_total_hits") {
            return Err(Error::argument(
                "[rest_total_hits_as_int] cannot be used if the tracking of total hits is not accurate",
            ));
        }
        let track = if is_total_bare { Track::All } else { track };
        Ok(Self {
            query,
            from,
            size,
            order,
            after,
            track,
            source,
            shown,
            shows_version,
            aggregations,
            is_total_bare,
            types_keys,
        })
    }

    /// Reads the body of a count.
    pub(crate) fn parse_count(
        body: &Value,
        parameters: &[(String, String)],
        now: Timestamp,
    ) -> Result<Query> {
        let mut body = object(body)?;
        for (key, value) in parameters {
            match key.as_str() {
                "q" | "df" | "default_operator" | "lenient" => add(&mut body, key, value, parameters)?,
                key if IGNORED.contains(&key) => {}
                key => return Err(unknown(key)),
            }
        }
        if let Some(key) = body.keys().find(|key| *key != "query") {
            return Err(Error::parsing(format!("request does not support [{key}]")));
        }
        let reading = Reading::at(now);
        body.get("query").map_or(Ok(Query::ALL), |query| Parser::new(&reading).parse(query))
    }
}

/// Refuses what would change the answer and is not done.
fn refuse(body: &Map<String, Value>) -> Result<()> {
    let is_quiet = |key: &str, value: &Value| match key {
        "seq_no_primary_term" | "explain" => value == false,
        "script_fields" | "runtime_mappings" => value.as_object().is_some_and(Map::is_empty),
        _ => true,
    };
    match body.iter().find(|(key, value)| !is_quiet(key, value)) {
        Some((key, _)) => Err(Error::argument(format!("[{key}] is not supported"))),
        None => Ok(()),
    }
}

fn object(body: &Value) -> Result<Map<String, Value>> {
    match body {
        Value::Null => Ok(Map::new()),
        Value::Object(object) => Ok(object.clone()),
        _ => Err(Error::parsing(
            "Expected [START_OBJECT] but found something else: the body of a search is an object",
        )),
    }
}

fn unknown(key: &str) -> Error {
    Error::argument(format!("request [/_search] contains unrecognized parameter: [{key}]"))
}

/// Adds what a parameter of the address says.
fn add(body: &mut Map<String, Value>, key: &str, value: &str, all: &[(String, String)]) -> Result<()> {
    let find = |key: &str| all.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    let list = || json!(value.split(',').collect::<Vec<_>>());
    match key {
        "q" => {
            let mut query = json!({ "query": value });
            if let Some(field) = find("df") {
                query["default_field"] = json!(field);
            }
            if let Some(operator) = find("default_operator") {
                query["default_operator"] = json!(operator);
            }
            body.insert("query".into(), json!({ "query_string": query }));
        }
        "df" | "default_operator" | "lenient" => {}
        "from" | "size" => drop(body.insert(key.into(), json!(value))),
        "track_total_hits" => {
            drop(body.insert(key.into(), serde_json::from_str(value).unwrap_or_else(|_| json!(value))));
        }
        "sort" => {
            let parts = value.split(',').map(|part| match part.split_once(':') {
                Some((field, direction)) => json!({ field: direction }),
                None => json!(part),
            });
            body.insert(key.into(), parts.collect());
        }
        "_source" => {
            let flag = value.parse::<bool>().map(Value::Bool);
            body.insert(key.into(), flag.unwrap_or_else(|_| list()));
        }
        "_source_includes" | "_source_excludes" => {
            let source = body.entry("_source").or_insert_with(|| json!({}));
            if !source.is_object() {
                *source = json!({});
            }
            source[key.trim_start_matches("_source_")] = list();
        }
        key if IGNORED.contains(&key) => {}
        key => return Err(unknown(key)),
    }
    Ok(())
}

fn track(value: Option<&Value>) -> Result<Track> {
    match value {
        None | Some(Value::Null) => Ok(Track::UpTo(WINDOW as u64)),
        Some(Value::Bool(true)) => Ok(Track::All),
        Some(Value::Bool(false)) => Ok(Track::Nothing),
        Some(Value::Number(number)) if number.as_i64() == Some(-1) => Ok(Track::Nothing),
        Some(value) => Ok(Track::UpTo(count("track_total_hits", value)? as u64)),
    }
}
