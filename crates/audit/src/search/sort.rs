//! `sort` and `search_after`.

use berth_catalog::trail::Record;
use berth_catalog::trail::search::{After, Column, Sort, Value as Bound};
use jiff::tz::TimeZone;
use serde_json::{Number, Value, json};

use super::date::Reading;
use super::error::{Error, Result};
use super::field::{self, Kind};
use super::pattern::{self, Format};

/// Parts of an order.
const MOST: usize = 8;

/// An order of records.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ordering {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
struct Part {
    /// `None` for the score, which is the same for all.
    column: Option<Column>,
    descending: bool,
    format: Option<Format>,
}

impl Ordering {
    /// Reads an order: a field, an object, or a list of those.
    pub(crate) fn parse(value: Option<&Value>) -> Result<Self> {
        let parts = match value {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(all)) => all.iter().map(parts).collect::<Result<Vec<_>>>()?.concat(),
            Some(one) => parts(one)?,
        };
        if parts.len() > MOST {
            return Err(Error::argument(format!("[sort] may have {MOST} parts")));
        }
        Ok(Self { parts })
    }

    /// Whether one was named.
    pub(crate) fn is_named(&self) -> bool {
        !self.parts.is_empty()
    }

    /// Returns it in the columns' terms; the last part makes any two records different. Without a name it is that of time.
    pub(crate) fn columns(&self) -> Vec<Sort> {
        let mut sorts: Vec<Sort> = Vec::new();
        for part in &self.parts {
            let Some(column) = part.column else { continue };
            if sorts.iter().all(|sort| sort.column != column) {
                sorts.push(Sort { column, descending: part.descending });
            }
        }
        if sorts.is_empty() {
            sorts.push(Sort { column: Column::At, descending: false });
        }
        if let Some(end) = sorts.iter().position(|sort| sort.column == Column::Position) {
            sorts.truncate(end + 1);
        } else {
            let descending = sorts.last().is_some_and(|sort| sort.descending);
            sorts.push(Sort { column: Column::Position, descending });
        }
        sorts
    }

    /// Reads `search_after`: one value for each part, and returns those of [`Ordering::columns`]. Records of which all these are the same
    /// are left out, as in Elasticsearch: whoever wants each record sorts by `_doc` or `event.sequence` at last.
    pub(crate) fn after(&self, value: Option<&Value>, reading: &Reading) -> Result<Option<After>> {
        let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
        let Value::Array(values) = value else { return Err(Error::parsing("[search_after] must be a list")) };
        if self.parts.is_empty() {
            return Err(Error::argument("Sort must contain at least one field."));
        }
        if values.len() != self.parts.len() {
            return Err(Error::argument(format!(
                "search_after has {} value(s) but sort has {}.",
                values.len(),
                self.parts.len()
            )));
        }
        let sorts = self.columns();
        let mut after = After::new();
        for sort in &sorts {
            let found = self.parts.iter().zip(values).find(|(part, _)| part.column == Some(sort.column));
            let Some((part, value)) = found else { break };
            after.push(read(part, value, reading)?);
        }
        if after.len() < sorts.len() {
            // The tie-break was not named: behind the last position there is nothing.
            let last = sorts.last().is_some_and(|sort| sort.descending);
            after.push(Some(Bound::Int(if last { i64::MIN } else { i64::MAX })));
        }
        Ok(Some(after))
    }

    /// Returns what `search_after` takes to go on behind a record.
    pub(crate) fn values(&self, record: &Record) -> Vec<Value> {
        let entry = &record.entry;
        self.parts
            .iter()
            .map(|part| match part.column {
                None => json!(1.0),
                Some(Column::At) => match &part.format {
                    None => milliseconds(entry.at.as_microsecond()),
                    Some(format) => json!(format.write(&entry.at.to_zoned_datetime(TimeZone::UTC))),
                },
                Some(Column::Position) => json!(record.position),
                Some(Column::Status) => json!(entry.status),
                Some(Column::Id) => json!(entry.id),
                Some(Column::Action) => json!(entry.action),
                Some(Column::Outcome) => json!(entry.outcome),
                Some(Column::Actor) => json!(entry.actor),
                Some(Column::Kind) => json!(entry.kind),
                Some(Column::Proof) => json!(entry.proof),
                Some(Column::Project) => json!(entry.project),
                Some(Column::Repository) => json!(entry.repository),
                Some(Column::Tag) => json!(entry.tag),
                Some(Column::Digest) => json!(entry.digest),
                Some(Column::RequestId) => json!(entry.request_id),
                Some(Column::Client) => json!(entry.client),
                Some(Column::Agent) => json!(entry.agent),
            })
            .collect()
    }
}

/// Milliseconds, with a fraction where the moment has one: what comes back must name the same moment.
fn milliseconds(at: i64) -> Value {
    if at % 1_000 == 0 {
        return json!(at / 1_000);
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds of this age fit into the 53 bits of a float"
    )]
    let number = Number::from_f64(at as f64 / 1_000.0);
    number.map_or(Value::Null, Value::Number)
}

fn read(part: &Part, value: &Value, reading: &Reading) -> Result<Option<Bound>> {
    let Some(column) = part.column else { return Ok(None) };
    if value.is_null() {
        return Ok(None);
    }
    if column == Column::At {
        let mut reading = reading.clone();
        reading.formats =
            part.format.clone().map_or_else(|| vec![Format::EpochMillis, Format::Iso], |format| vec![format]);
        return Ok(Some(Bound::Int(reading.moment(value)?.from)));
    }
    if column.is_number() {
        let number = value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        let number =
            number.ok_or_else(|| Error::argument(format!("Failed to parse search_after value [{value}]")))?;
        return Ok(Some(Bound::Int(number)));
    }
    match value {
        Value::String(text) => Ok(Some(Bound::Text(text.clone()))),
        other => Err(Error::argument(format!("Failed to parse search_after value [{other}]"))),
    }
}

fn parts(value: &Value) -> Result<Vec<Part>> {
    match value {
        Value::String(text) => Ok(part(text, None, None, None)?.into_iter().collect()),
        Value::Object(fields) => {
            let mut found = Vec::new();
            for (name, options) in fields {
                found.extend(match options {
                    Value::String(direction) => part(name, Some(direction), None, None)?,
                    Value::Object(options) => {
                        let known = ["order", "unmapped_type", "missing", "format", "mode", "numeric_type"];
                        if let Some(key) = options.keys().find(|key| !known.contains(&key.as_str())) {
                            return Err(Error::parsing(format!("[sort] does not support [{key}]")));
                        }
                        if options.get("missing").is_some_and(|value| value != "_last") {
                            return Err(Error::argument(
                                "[sort] with [missing] other than [_last] is not supported",
                            ));
                        }
                        let text = |key: &str| options.get(key).and_then(Value::as_str);
                        part(name, text("order"), text("format"), text("unmapped_type"))?
                    }
                    other => {
                        return Err(Error::parsing(format!(
                            "[sort] by [{name}] is [{other}]: write [asc] or [desc]"
                        )));
                    }
                });
            }
            Ok(found)
        }
        other => Err(Error::parsing(format!("malformed sort format: [{other}]"))),
    }
}

/// Reads one part; `None` for a field that no record has and that the caller knows may be missing.
fn part(
    name: &str,
    direction: Option<&str>,
    format: Option<&str>,
    unmapped: Option<&str>,
) -> Result<Option<Part>> {
    let descending = match direction {
        None => name == "_score",
        Some("asc") => false,
        Some("desc") => true,
        Some(other) => return Err(Error::parsing(format!("Unknown SortOrder [{other}]"))),
    };
    let column = match name {
        "_score" => None,
        "_doc" | "_shard_doc" => Some(Column::Position),
        _ => match field::find(name)? {
            None if unmapped.is_some() => return Ok(None),
            None => {
                return Err(Error {
                    kind: "query_shard_exception",
                    reason: format!("No mapping found for [{name}] in order to sort on"),
                    status: 400,
                });
            }
            Some(field) if field.kind == Kind::Person => {
                // Their names are not where the records are.
                return Err(Error::argument("[sort] by [user.name] is not supported: use [user.id]"));
            }
            Some(field) => Some(field.kind.column().ok_or_else(|| {
                Error::argument(format!(
                    "[sort] by [{name}] is not supported: it is of type [{}]",
                    field.kind.as_str()
                ))
            })?),
        },
    };
    let format = format.map(|text| pattern::parse(text).map(|mut all| all.swap_remove(0))).transpose()?;
    Ok(Some(Part { column, descending, format }))
}
