//! Events as records.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_catalog::event::{Event, Kind};
use berth_catalog::trail::Entry;
use serde_json::Value;

use crate::draft::project;

/// The action of an erasure, whose detail names in `subject` who it was in logs.
pub const ERASE: &str = "erase";

/// Says as a record what an event says. Always the same for the same event, so that a record can be compared with its event; what is
/// sealed stays so.
pub fn of_event(event: &Event) -> Entry {
    let mut detail = event.detail.clone();
    let origin = detail.as_object_mut().and_then(|fields| fields.remove("origin"));
    let origin = origin.unwrap_or_default();
    let text = |key: &str| origin.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
    if let Some(fields) = detail.as_object_mut() {
        fields.insert("event".to_owned(), event.kind.clone().into());
    }
    let repository = Some(event.repository.clone()).filter(|name| !name.is_empty());
    let damaged = event.kind == Kind::BlobDamaged.as_str();
    Entry {
        id: event.id.clone(),
        at: event.at,
        action: action(event),
        outcome: if damaged { "failure" } else { "success" }.to_owned(),
        actor: event.caller.clone(),
        kind: text("kind").unwrap_or_else(|| kind(&event.caller).to_owned()),
        proof: text("proof").unwrap_or_else(|| "none".to_owned()),
        project: repository.as_deref().map(project).or_else(|| named(&event.detail)),
        repository,
        tag: event.tag.clone(),
        digest: event.digest.map(|digest| digest.to_string()),
        status: None,
        request_id: text("request_id"),
        client: text("client"),
        agent: text("agent"),
        personal: text("sealed").and_then(|sealed| STANDARD.decode(sealed).ok()),
        detail: detail.to_string(),
        event: Some(event.position),
    }
}

/// Returns the project that a change of projects, roles in one, or its robots names.
fn named(detail: &Value) -> Option<String> {
    let text = |key: &str| detail.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let of_robot = || text("robot")?.strip_prefix("robot+")?.split_once('+').map(|(project, _)| project);
    text("project").or_else(of_robot).map(ToOwned::to_owned)
}

fn action(event: &Event) -> String {
    let action = match event.kind.as_str() {
        "administered" => event.detail.get("action").and_then(Value::as_str).unwrap_or("administer"),
        "manifest_pushed" | "tag_moved" => "push",
        "manifest_deleted" | "tag_deleted" | "blob_deleted" => "delete",
        "manifest_collected" => "collect",
        "blob_damaged" => "scrub",
        // Accounts, robots, roles, bindings, projects, keys, secrets.
        _ => "access",
    };
    action.to_owned()
}

/// Guesses what an author is of whom an older event, or the registry's own work, says nothing more.
fn kind(caller: &str) -> &'static str {
    match caller {
        "anonymous" => "anonymous",
        name if name.starts_with("robot+") => "robot",
        name if name.starts_with("person-") => "user",
        _ => "work",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_in_a_project_names_it() {
        for (detail, project) in [
            (json!({ "project": "team", "role": "guest" }), Some("team")),
            (json!({ "project": "", "role": "guest" }), None),
            (json!({ "robot": "robot+team+ci", "change": "created" }), Some("team")),
            (json!({ "robot": "robot+ci", "change": "created" }), None),
            (json!({ "account": 7 }), None),
            (json!(null), None),
        ] {
            assert_eq!(named(&detail).as_deref(), project, "{detail}");
        }
    }
}
