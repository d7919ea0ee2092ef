//! `_msearch`: several searches in one request, as dashboards ask.

use serde_json::{Map, Value, json};

use super::error::{Error, Result};
use super::{Parameters, Search};

/// Searches of one request.
const MOST: usize = 32;
/// What a line before a search may say beside its index: nothing of it matters here.
const IGNORED: [&str; 11] = [
    "search_type",
    "ignore_unavailable",
    "allow_no_indices",
    "expand_wildcards",
    "ignore_throttled",
    "preference",
    "routing",
    "request_cache",
    "allow_partial_search_results",
    "ccs_minimize_roundtrips",
    "max_concurrent_shard_requests",
];

impl Search {
    /// Answers `_msearch`: lines of JSON, of each two the first says where and the second what. `is_index` knows the names of indices.
    /// One that fails keeps no other from its answer.
    ///
    /// # Errors
    /// The lines can't be told apart, or are too many.
    pub async fn many(
        &self,
        text: &str,
        parameters: &Parameters,
        is_index: fn(&str) -> bool,
    ) -> Result<Value> {
        let lines: Vec<&str> = text.trim_end().split('\n').map(str::trim).collect();
        if text.trim().is_empty() || !lines.len().is_multiple_of(2) {
            return Err(Error::argument(
                "[_msearch] takes two lines for each search: one that says where, one that says what",
            ));
        }
        if lines.len() / 2 > MOST {
            return Err(Error::argument(format!("[_msearch] may have {MOST} searches")));
        }
        let parameters: Vec<_> =
            parameters.iter().filter(|(key, _)| key != "max_concurrent_searches").cloned().collect();
        let (mut responses, mut took) = (Vec::new(), 0);
        for pair in lines.chunks(2) {
            let answer = match (header(pair[0], is_index), json_of(pair[1])) {
                (Ok(()), Ok(body)) => self.search(&body, &parameters).await,
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
            responses.push(match answer {
                Ok(mut answer) => {
                    took += answer["took"].as_u64().unwrap_or(0);
                    answer["status"] = json!(200);
                    answer
                }
                Err(error) => error.to_json(),
            });
        }
        Ok(json!({ "took": took, "responses": responses }))
    }
}

fn json_of(line: &str) -> Result<Value> {
    serde_json::from_str(line).map_err(|error| Error::parsing(format!("a line is not JSON: {error}")))
}

fn header(line: &str, is_index: fn(&str) -> bool) -> Result<()> {
    let header: Map<String, Value> = match line {
        "" => Map::new(),
        line => serde_json::from_value(json_of(line)?)
            .map_err(|_| Error::parsing("a line that says where to search must be an object"))?,
    };
    for (key, value) in &header {
        let names = match (key.as_str(), value) {
            (key, _) if IGNORED.contains(&key) => continue,
            ("index" | "indices", Value::String(names)) => names.split(',').collect(),
            ("index" | "indices", Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            ("index" | "indices", Value::Null) => Vec::new(),
            _ => {
                return Err(Error::argument(format!("key [{key}] is not supported in the metadata section")));
            }
        };
        if let Some(unknown) = names.into_iter().find(|name| !is_index(name)) {
            return Err(Error::no_index(unknown));
        }
    }
    Ok(())
}
