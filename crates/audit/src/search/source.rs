//! `_source`: which parts of documents are wanted.

use serde_json::{Map, Value};

use super::error::{Error, Result};

/// Patterns of one search.
const MOST: usize = 64;

/// Which parts of documents are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    All,
    Nothing,
    /// Those that one of the first matches, or there is none, and none of the second.
    Some(Vec<String>, Vec<String>),
}

impl Source {
    pub(crate) fn parse(value: Option<&Value>) -> Result<Self> {
        let patterns = |value: Option<&Value>| -> Result<Vec<String>> {
            let texts = match value {
                None => Vec::new(),
                Some(Value::String(text)) => vec![text.clone()],
                Some(Value::Array(all)) => all
                    .iter()
                    .map(|one| one.as_str().map(ToOwned::to_owned))
                    .collect::<Option<_>>()
                    .ok_or_else(|| Error::parsing("[_source] lists texts"))?,
                Some(other) => {
                    return Err(Error::parsing(format!(
                        "[_source] is [{other}]: a field, or a list of fields, is wanted"
                    )));
                }
            };
            if texts.len() > MOST
                || texts.iter().any(|text| text.len() > 256 || text.matches('*').count() > 4)
            {
                return Err(Error::argument(format!(
                    "[_source] may have {MOST} patterns, each with four [*] and 256 bytes"
                )));
            }
            Ok(texts)
        };
        match value {
            None | Some(Value::Null | Value::Bool(true)) => Ok(Self::All),
            Some(Value::Bool(false)) => Ok(Self::Nothing),
            Some(Value::Object(object)) => {
                if let Some(key) = object
                    .keys()
                    .find(|key| !matches!(key.as_str(), "includes" | "include" | "excludes" | "exclude"))
                {
                    return Err(Error::parsing(format!("Unknown key [{key}] in [_source]")));
                }
                let of = |one: &str, other: &str| patterns(object.get(one).or_else(|| object.get(other)));
                Ok(Self::Some(of("includes", "include")?, of("excludes", "exclude")?))
            }
            list => Ok(Self::Some(patterns(list)?, Vec::new())),
        }
    }

    /// Takes what is wanted out of a document.
    pub(crate) fn of(&self, document: Value) -> Option<Value> {
        match self {
            Self::All => Some(document),
            Self::Nothing => None,
            Self::Some(includes, excludes) => {
                Some(filter(document, "", includes, excludes).unwrap_or_else(|| Map::new().into()))
            }
        }
    }
}

fn filter(value: Value, path: &str, includes: &[String], excludes: &[String]) -> Option<Value> {
    if !path.is_empty() && excludes.iter().any(|pattern| matches(pattern, path)) {
        return None;
    }
    let is_wanted =
        includes.is_empty() || !path.is_empty() && includes.iter().any(|pattern| matches(pattern, path));
    let Value::Object(object) = value else { return is_wanted.then_some(value) };
    // What lies below something wanted is wanted.
    let includes = if is_wanted { &[][..] } else { includes };
    let mut kept = Map::new();
    for (key, value) in object {
        let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        if let Some(value) = filter(value, &below, includes, excludes) {
            kept.insert(key, value);
        }
    }
    (!kept.is_empty() || is_wanted && !path.is_empty()).then(|| kept.into())
}

/// Tells whether a pattern with `*` matches a path.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == path,
        Some((before, rest)) => path.strip_prefix(before).is_some_and(|path| {
            (0..=path.len()).filter(|at| path.is_char_boundary(*at)).any(|at| matches(rest, &path[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wanted_is_kept() {
        let document = json!({ "a": { "b": 1, "c": 2 }, "d": "x" });
        for (source, expected) in [
            (json!(true), Some(document.clone())),
            (json!(false), None),
            (json!("a.b"), Some(json!({ "a": { "b": 1 } }))),
            (json!(["a", "nothing"]), Some(json!({ "a": { "b": 1, "c": 2 } }))),
            (json!(["a.*"]), Some(json!({ "a": { "b": 1, "c": 2 } }))),
            (json!({ "excludes": ["*.c", "d"] }), Some(json!({ "a": { "b": 1 } }))),
            (json!({ "includes": ["a"], "excludes": ["a.b"] }), Some(json!({ "a": { "c": 2 } }))),
        ] {
            assert_eq!(Source::parse(Some(&source)).unwrap().of(document.clone()), expected, "{source}");
        }
    }
}
