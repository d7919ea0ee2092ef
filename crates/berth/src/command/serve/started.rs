//! What the trail says of a start: that it was one, and whether the configuration is another than at the start before.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use berth_catalog::trail::Trail;
use berth_catalog::trail::search::{self, Column, Condition, Sort, Value as Cell};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::config::Config;
use crate::operator;

/// Starts with another configuration that are looked at, for one of the same node among them.
const LOOKED_AT: u64 = 64;

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
    let page = trail.read(async |r| search::page(r, &configured, &newest, None, 0, LOOKED_AT).await);
    let details =
        page.await?.into_iter().filter_map(|record| serde_json::from_str(&record.entry.detail).ok());
    let known: Vec<Value> = details.filter(|detail: &Value| detail["parts"].is_object()).collect();
    let same = known.iter().find(|detail| detail["node"] == node).or(known.first());
    Ok(same.and_then(|detail| serde_json::from_value(detail["parts"].clone()).ok()))
}

fn changed<'a>(before: &'a Fingerprints, now: &'a Fingerprints) -> Vec<&'a str> {
    let all: BTreeMap<_, _> = before.iter().chain(now).collect();
    all.into_keys().filter(|name| before.get(*name) != now.get(*name)).map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use berth_catalog::Clock;
    use berth_catalog::trail;

    use super::*;

    async fn configured(trail: &Trail) -> Vec<(String, Value)> {
        let records = trail.read(async |r| trail::list(r, 0, 100).await).await.unwrap();
        let said = |text: &str| serde_json::from_str::<Value>(text).unwrap()["changed"].clone();
        records.iter().map(|record| (record.entry.action.clone(), said(&record.entry.detail))).collect()
    }

    #[tokio::test]
    async fn another_configuration_is_recorded_by_its_parts_and_without_secrets() {
        let directory = tempfile::tempdir().unwrap();
        let trail = Trail::open(&directory.path().join("audit.db"), Clock::system()).unwrap();
        let mut config = Config::default();
        for _ in 0..2 {
            record(&trail, &config).await.unwrap();
        }
        config.gc.every_seconds += 1;
        let url = |password: &str| {
            serde_json::from_value(json!(format!("postgres://berth:{password}@db.example/berth"))).unwrap()
        };
        (config.database.url, config.database.replica_url) = (Some(url("hush")), Some(url("hush")));
        for _ in 0..2 {
            record(&trail, &config).await.unwrap();
        }
        let expected = [
            ("start", Value::Null),
            ("configure", Value::Null),
            ("start", Value::Null),
            ("start", Value::Null),
            ("configure", json!(["database", "gc"])),
            ("start", Value::Null),
        ];
        assert_eq!(configured(&trail).await, expected.map(|(action, changed)| (action.to_owned(), changed)));
        assert!(!config.to_yaml().unwrap().contains("hush"), "{config:?}");
        // Nothing tells one password from another, not even a hash.
        let before = fingerprints(&config).unwrap();
        (config.database.url, config.database.replica_url) = (Some(url("hushhush")), Some(url("hushhush")));
        assert_eq!(fingerprints(&config).unwrap(), before);
    }
}
