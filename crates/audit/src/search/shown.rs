//! `fields` and `docvalue_fields`: values of single fields, each in a list, as dashboards want them beside or instead of `_source`.

use berth_catalog::trail::Record;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::error::{Error, Result};
use super::field::{FIELDS, Kind};
use super::pattern::{self, Format};
use super::source::matches;

/// Patterns of one search.
const MOST: usize = 64;

/// Which fields are wanted, and how moments are to be written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown(Vec<(String, Format)>);

impl Shown {
    pub(crate) fn parse(body: &Map<String, Value>) -> Result<Self> {
        let mut wanted = Vec::new();
        for key in ["fields", "docvalue_fields"] {
            let Some(value) = body.get(key).filter(|value| !value.is_null()) else { continue };
            let all = value.as_array().ok_or_else(|| Error::parsing(format!("[{key}] must be a list")))?;
            for one in all {
                wanted.push(read(key, one)?);
            }
        }
        if wanted.len() > MOST
            || wanted.iter().any(|(name, _)| name.len() > 256 || name.matches('*').count() > 4)
        {
            return Err(Error::argument(format!(
                "[fields] may have {MOST} patterns, each with four [*] and 256 bytes"
            )));
        }
        Ok(Self(wanted))
    }

    /// Takes what is wanted out of a document.
    pub(crate) fn of(&self, document: &Value, record: &Record) -> Option<Value> {
        if self.0.is_empty() {
            return None;
        }
        let mut found = Map::new();
        for (name, field) in FIELDS.iter().filter(|(name, _)| !name.starts_with('_')) {
            let Some((_, format)) = self.0.iter().find(|(pattern, _)| matches(pattern, name)) else {
                continue;
            };
            let value = match field.kind {
                Kind::Date => json!(format.write(&record.entry.at.to_zoned_datetime(TimeZone::UTC))),
                _ => name.split('.').fold(document, |place, part| &place[part]).clone(),
            };
            if !value.is_null() {
                found.insert((*name).to_owned(), json!([value]));
            }
        }
        Some(found.into())
    }
}

fn read(key: &str, value: &Value) -> Result<(String, Format)> {
    let object = match value {
        Value::String(name) => return Ok((name.clone(), Format::Iso)),
        Value::Object(object) => object,
        other => return Err(Error::parsing(format!("[{key}] names [{other}]: a field is wanted"))),
    };
    let known = ["field", "format", "include_unmapped"];
    if let Some(unknown) = object.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(Error::parsing(format!("[{key}] does not support [{unknown}]")));
    }
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let name = text("field").ok_or_else(|| Error::parsing(format!("[{key}] lacks [field]")))?;
    let format = match text("format").filter(|format| *format != "use_field_mapping") {
        Some(format) => pattern::parse(format)?.swap_remove(0),
        None => Format::Iso,
    };
    Ok((name.to_owned(), format))
}
