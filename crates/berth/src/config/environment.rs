//! `BERTH_…` variables, laid over what the configuration file says.

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;

use super::Config;
use super::file;
use super::nearest::nearest;
use super::schema::{Keys, accepts};

const PREFIX: &str = "BERTH_";
const SEPARATOR: &str = "__";

/// Names the configuration file; read by the command line.
const FILE_VARIABLE: &str = "BERTH_CONFIG";
/// Variables that are no keys of the configuration.
const OTHERS: [&str; 2] = [FILE_VARIABLE, berth_vault::VARIABLE];

/// Returns this process's `BERTH_…` variables, in a fixed order.
pub(super) fn variables() -> anyhow::Result<Vec<(String, String)>> {
    let mut variables = Vec::new();
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let value = value.into_string().map_err(|_| anyhow!("{name}: value is not UTF-8"))?;
        variables.push((name.to_owned(), value));
    }
    variables.sort();
    Ok(variables)
}

/// Lays variables over a configuration: `BERTH_HTTP__LISTEN` sets `http.listen`. Values are YAML, so
/// `[127.0.0.1:5000, "[::1]:5000"]` is a list.
///
/// Of the names that are no key, those that look meant for one are errors. Others are let pass: for a service named
/// `berth`, Kubernetes sets `BERTH_SERVICE_HOST` and `BERTH_PORT` in every container.
pub(super) fn overlay(config: Config, variables: Vec<(String, String)>) -> anyhow::Result<Config> {
    let keys = Keys::new();
    let mut settings = Vec::new();
    for (name, text) in variables {
        if OTHERS.contains(&name.as_str()) {
            continue;
        }
        let Some(key) = name.strip_prefix(PREFIX).map(str::to_lowercase) else { continue };
        let path: Vec<String> = key.split(SEPARATOR).map(str::to_owned).collect();
        match keys.find(path.iter().map(String::as_str)) {
            Some(node) => {
                let value = parse(&text, node).with_context(|| name.clone())?;
                settings.push(Setting { name, path, value });
            }
            None if looks_meant(&key, &keys) => bail!("{name}: unknown key: {}", suggestion(&name, &keys)),
            None => {}
        }
    }
    if settings.is_empty() {
        return Ok(config);
    }
    let base = serde_json::to_value(config)?;
    apply(&base, settings.iter()).map_err(|error| anyhow!("{}: {error}", blame(&base, &settings)))
}

struct Setting {
    name: String,
    path: Vec<String>,
    value: Value,
}

/// Reads a value as what the key takes: text stays as it is, and one item makes a list.
fn parse(text: &str, node: &Value) -> anyhow::Result<Value> {
    if accepts(node, "string") && !accepts(node, "object") {
        return Ok(Value::String(text.to_owned()));
    }
    let value: Value = serde_saphyr::from_str_with_options(text, file::options())
        .map_err(|error| anyhow!(file::message(&error)))?;
    Ok(if accepts(node, "array") && !value.is_array() { Value::Array(vec![value]) } else { value })
}

fn apply<'a>(base: &Value, settings: impl Iterator<Item = &'a Setting>) -> serde_json::Result<Config> {
    let mut document = base.clone();
    for setting in settings {
        let mut node = &mut document;
        for key in &setting.path {
            if !node.is_object() {
                // A section that was not there, like `http.tls`.
                *node = Value::Object(serde_json::Map::new());
            }
            node = &mut node[key];
        }
        *node = setting.value.clone();
    }
    serde_json::from_value(document)
}

/// Names the variable without which the rest would do, or all of them.
fn blame(base: &Value, settings: &[Setting]) -> String {
    let alone = settings
        .iter()
        .find(|suspect| apply(base, settings.iter().filter(|setting| setting.name != suspect.name)).is_ok());
    match alone {
        Some(setting) => setting.name.clone(),
        None => settings.iter().map(|setting| setting.name.as_str()).collect::<Vec<_>>().join(", "),
    }
}

fn looks_meant(key: &str, keys: &Keys) -> bool {
    let section = |path: &Vec<&str>| path.len() == 1 && key.starts_with(&format!("{}_", path[0]));
    key.contains(SEPARATOR) || keys.paths().iter().any(section)
}

fn suggestion(name: &str, keys: &Keys) -> String {
    let known: Vec<String> =
        keys.paths().iter().map(|path| format!("{PREFIX}{}", path.join(SEPARATOR).to_uppercase())).collect();
    match nearest(name, known.iter().map(String::as_str)) {
        Some(variable) => format!("did you mean {variable}?"),
        None => "`berth config check` prints all keys; join sections with two underscores".to_owned(),
    }
}
