//! The names of persons beside their pseudonyms, for whoever reads records: nothing that is recorded has them.

use std::collections::BTreeMap;

use berth_catalog::subject::PSEUDONYM;
use berth_catalog::trail::Entry;
use serde_json::{Map, Value};

/// Lists the pseudonyms that a record mentions: who did it, and of whom its detail tells.
pub fn pseudonyms(entry: &Entry) -> Vec<String> {
    let fields: Map<String, Value> = serde_json::from_str(&entry.detail).unwrap_or_default();
    let told = fields.into_iter().filter_map(|(_, value)| match value {
        Value::String(text) => Some(text),
        _ => None,
    });
    let all = std::iter::once(entry.actor.clone()).chain(told);
    all.filter(|text| text.starts_with(PSEUDONYM)).collect()
}

/// Reads the detail of a record; beside a field with a pseudonym stands one with the name, as `person_name` beside `person`.
pub fn named_detail(detail: &str, names: &BTreeMap<String, String>) -> Value {
    let Ok(mut fields) = serde_json::from_str::<Map<String, Value>>(detail) else { return detail.into() };
    let added: Vec<(String, Value)> = fields
        .iter()
        .filter_map(|(field, value)| {
            let name = names.get(value.as_str()?)?;
            Some((format!("{field}_name"), name.as_str().into()))
        })
        .collect();
    fields.extend(added);
    fields.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_stand_beside_pseudonyms_and_nothing_else_changes() {
        let names = BTreeMap::from([("person-1".to_owned(), "alice".to_owned())]);
        let detail = r#"{"change":"disabled","person":"person-1","by":"person-2","account":7}"#;
        let with_names = json!({
            "change": "disabled", "person": "person-1", "person_name": "alice", "by": "person-2", "account": 7
        });
        assert_eq!(named_detail(detail, &names), with_names);
        assert_eq!(named_detail("no object", &names), json!("no object"));
    }
}
