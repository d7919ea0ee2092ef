//! The JSON Schema of the configuration, and the keys that it knows.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Config;

/// Returns the JSON Schema of the configuration, as committed in `docs/berth.schema.json`.
pub(crate) fn document() -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&generate())? + "\n")
}

/// Writes every section where it belongs: rooms use the same type names, which would become `Config2`.
fn generate() -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Config>()
}

/// The keys there are, read from the schema.
pub(super) struct Keys(Value);

impl Keys {
    pub(super) fn new() -> Self {
        Self(generate().into())
    }

    /// Returns the schema of the key at a path.
    pub(super) fn find<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Option<&Value> {
        path.into_iter().try_fold(&self.0, |node, key| {
            children(node).find_map(|(name, child)| (name == key).then_some(child))
        })
    }

    /// Returns the paths of all keys, those on the way included.
    pub(super) fn paths(&self) -> Vec<Vec<&str>> {
        let mut paths = Vec::new();
        let mut pending = vec![(Vec::new(), &self.0)];
        while let Some((path, node)) = pending.pop() {
            for (name, child) in children(node) {
                let mut below = path.clone();
                below.push(name);
                paths.push(below.clone());
                pending.push((below, child));
            }
        }
        paths
    }
}

/// Tells whether a value of one of the schema's types is allowed: `string`, `array` …
pub(super) fn accepts(node: &Value, kind: &str) -> bool {
    let named = match &node["type"] {
        Value::String(only) => only == kind,
        Value::Array(several) => several.iter().any(|one| one == kind),
        _ => false,
    };
    named || alternatives(node).any(|alternative| accepts(alternative, kind))
}

fn children(node: &Value) -> impl Iterator<Item = (&str, &Value)> {
    std::iter::once(node)
        .chain(alternatives(node))
        .filter_map(|node| node["properties"].as_object())
        .flatten()
        .map(|(name, child)| (name.as_str(), child))
}

/// An optional section is `anyOf` the section and null; an enum is `oneOf` its words.
fn alternatives(node: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf"].into_iter().filter_map(|key| node[key].as_array()).flatten()
}
