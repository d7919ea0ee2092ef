//! A record as a document of the Elastic Common Schema, and the mapping of such documents.

use std::collections::BTreeMap;

use berth_catalog::trail::Record;
use serde_json::{Map, Value, json};

use crate::names::named_detail;

use super::field::{DATASET, ECS_VERSION, FIELDS, Kind};

/// The name of the one index that there is.
pub const INDEX: &str = "berth-audit";

/// Makes the document of a record; `names` are those of persons, by pseudonym.
pub fn document(record: &Record, names: &BTreeMap<String, String>) -> Value {
    let entry = &record.entry;
    let name = names.get(&entry.actor).unwrap_or(&entry.actor);
    let detail = named_detail(&entry.detail, names);
    let mut document = json!({
        "@timestamp": format!("{:.6}", entry.at),
        "action": entry.action,
        "message": message(record, name),
        "ecs": { "version": ECS_VERSION },
        "event": {
            "action": entry.action,
            "outcome": entry.outcome,
            "kind": "event",
            "dataset": DATASET,
            "id": entry.id,
            "sequence": record.position,
        },
        "user": { "id": entry.actor, "name": name },
        "berth": { "identity": entry.kind, "proof": entry.proof, "detail": detail },
    });
    let mut put = |path: [&str; 3], value: Option<Value>| {
        let Some(value) = value else { return };
        let mut place = &mut document;
        for key in path.into_iter().filter(|key| !key.is_empty()) {
            place = &mut place[key];
        }
        *place = value;
    };
    put(["source", "ip", ""], entry.client.as_ref().map(|text| json!(text)));
    put(["user_agent", "original", ""], entry.agent.as_ref().map(|text| json!(text)));
    put(["http", "request", "id"], entry.request_id.as_ref().map(|text| json!(text)));
    put(["http", "response", "status_code"], entry.status.map(|status| json!(status)));
    put(["berth", "project", ""], entry.project.as_ref().map(|text| json!(text)));
    put(["berth", "repository", ""], entry.repository.as_ref().map(|text| json!(text)));
    put(["berth", "tag", ""], entry.tag.as_ref().map(|text| json!(text)));
    put(["berth", "digest", ""], entry.digest.as_ref().map(|text| json!(text)));
    document
}

/// Says in words what happened: `alice push library/nginx:1.27 success`.
fn message(record: &Record, name: &str) -> String {
    let entry = &record.entry;
    let mut words = format!("{name} {}", entry.action);
    if let Some(repository) = &entry.repository {
        words.push(' ');
        words.push_str(repository);
    }
    match (&entry.tag, &entry.digest) {
        (Some(tag), _) => {
            words.push(':');
            words.push_str(tag);
        }
        (None, Some(digest)) => {
            words.push('@');
            words.push_str(digest);
        }
        (None, None) => {}
    }
    words.push(' ');
    words.push_str(&entry.outcome);
    words
}

/// Returns the mapping of documents: it is exact, so that an index made with it answers as Berth does.
pub fn mapping() -> Value {
    let mut properties = json!({});
    for (name, field) in FIELDS.iter().filter(|(name, _)| *name != "_id") {
        let mut place = &mut properties;
        let mut parts = name.split('.').peekable();
        while let Some(part) = parts.next() {
            place = &mut place[part];
            if parts.peek().is_some() {
                place = &mut place["properties"];
            }
        }
        *place = json!({ "type": kind(field.kind) });
    }
    // Its keys are as many as there are kinds of events.
    properties["berth"]["properties"]["detail"] = json!({ "type": "object", "enabled": false });
    json!({ "properties": properties })
}

/// Tells what may be done with each field, as `_field_caps` does.
pub fn capabilities(wanted: &dyn Fn(&str) -> bool) -> Value {
    let mut fields = Map::new();
    for (name, field) in FIELDS.iter().filter(|(name, _)| wanted(name)) {
        let word = kind(field.kind);
        let aggregates = field.kind != Kind::Message;
        fields.insert(
            (*name).to_owned(),
            json!({ word: { "type": word, "metadata_field": name.starts_with('_'), "searchable": true, "aggregatable": aggregates } }),
        );
    }
    json!({ "indices": [INDEX], "fields": fields })
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        // Not every version of either engine knows constants.
        Kind::Same(_) => "keyword",
        kind => kind.as_str(),
    }
}
