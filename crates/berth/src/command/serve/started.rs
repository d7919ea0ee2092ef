//! What the trail says of a start: that it was one, and whether the configuration is another than at the start before.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use berth_catalog::trail::Trail;
use berth_catalog::trail::search::{self, Column, Condition, Sort, Value as Cell};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::config::Config;
use crate::operator;

/// Starts with another configuration that are looked at, for one of the same node among them.
const LOOKED_AT: u64 = 64;
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Records the start, and beside it a configuration that this node did not have at its last one.
pub(super) async fn record(trail: &Trail, config: &Config) -> Result<()> {
    let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let now = fingerprints(config)?;
    let digest = hex::encode(Sha256::digest(config.to_yaml()?));
    let start = json!({ "version": env!("CARGO_PKG_VERSION"), "node": node, "configuration_sha256": digest });
    operator::record(trail, "start", start).await?;
    let before = last(trail, &node).await?;
    if before.as_ref() == Some(&now) {
        return Ok(());
    }
    let mut detail = json!({ "node": node, "configuration_sha256": digest, "parts": now });
    if let Some(before) = &before {
        let changed = changed(before, &now);
        tracing::info!(parts = changed.join(","), "the configuration has changed since the last start");
        detail["changed"] = json!(changed);
    }
    operator::record(trail, "configure", detail).await
}

type Fingerprints = BTreeMap<String, String>;

/// Returns a hash of each top-level part, without what is secret in it.
fn fingerprints(config: &Config) -> Result<Fingerprints> {
    let shown: Value = serde_saphyr::from_str(&config.to_yaml()?)?;
    let parts = shown.as_object().context("the configuration has no parts")?;
    let hash = |part: &Value| hex::encode(&Sha256::digest(part.to_string())[..8]);
    Ok(parts.iter().map(|(name, part)| (name.clone(), hash(part))).collect())
}

/// Finds what the configuration of this node was last; if that is not known, of any.
async fn last(trail: &Trail, node: &str) -> Result<Option<Fingerprints>> {
    let configured = Condition::In(Column::Action, vec![Cell::Text("configure".into())]);
    let newest = [Column::At, Column::Position].map(|column| Sort { column, descending: true });
    let page = trail
        .search(PATIENCE, async move |r| search::page(r, &configured, &newest, None, 0, LOOKED_AT).await);
    let page = page.await.map_err(|error: berth_catalog::Error| error)?;
    let details = page.into_iter().filter_map(|record| serde_json::from_str(&record.entry.detail).ok());
    let known: Vec<Value> = details.filter(|detail: &Value| detail["parts"].is_object()).collect();
    let same = known.iter().find(|detail| detail["node"] == node).or(known.first());
    Ok(same.and_then(|detail| serde_json::from_value(detail["parts"].clone()).ok()))
}

fn changed<'a>(before: &'a Fingerprints, now: &'a Fingerprints) -> Vec<&'a str> {
    let all: BTreeMap<_, _> = before.iter().chain(now).collect();
    all.into_keys().filter(|name| before.get(*name) != now.get(*name)).map(String::as_str).collect()
}

#[cfg(test)]
mod tests;
