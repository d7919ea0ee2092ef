//! What `berth events tail` prints.

use anyhow::{Context as _, Result};
use serde_json::Value;

/// One line of the event log.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Event {
    pub(crate) position: u64,
    pub(crate) kind: String,
    pub(crate) repository: String,
    pub(crate) tag: Option<String>,
    pub(crate) digest: Option<String>,
}

impl Event {
    pub(crate) fn parse(line: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(line).with_context(|| format!("not an event: {line}"))?;
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        Ok(Self {
            position: value["position"].as_u64().with_context(|| format!("no position: {line}"))?,
            kind: text("kind").with_context(|| format!("no kind: {line}"))?,
            repository: text("repository").unwrap_or_default(),
            tag: text("tag"),
            digest: text("digest"),
        })
    }
}
