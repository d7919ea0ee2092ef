//! The `audit` part of the configuration.

use std::path::PathBuf;

use berth_catalog::trail::RetentionDays;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::outlet::{Lines, Ship};

/// What is recorded of who did what, and for how long it stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Record each blob that is pulled, beside the manifest that names it.
    pub blobs: bool,
    /// Refuse every request that would be recorded rather than let records be lost, when the trail can't be written and there is no room
    /// to keep them elsewhere.
    /// Otherwise the registry goes on, and counts in `berth_audit_dropped_total` what it lost.
    pub strict: bool,
    /// Days that records stay, 180 or more. Older ones go to `archive_dir`.
    pub retention_days: Retain,
    /// Directory for signed archives of what is older; `audit-archive` beside `audit.db` unless this is set. With a shared
    /// database nothing is deleted without it.
    pub archive_dir: Option<PathBuf>,
    /// Directory for records that can't be written for now; the data directory unless this is set. A node that keeps nothing on its
    /// disk holds them in memory without it.
    pub spool_dir: Option<PathBuf>,
    /// Largest such file, in bytes.
    pub spool_bytes: u64,
    /// Most records held in memory.
    pub queue: usize,
    /// Lines of JSON for each record, for whoever collects logs; none unless this is set.
    pub lines: Option<Lines>,
    /// Where records are shipped to; nowhere unless this is set.
    pub ship: Option<Ship>,
    /// Seconds between two signed checkpoints, if anything was recorded.
    pub checkpoint_seconds: u64,
    /// Records after which there is a checkpoint in any case.
    pub checkpoint_records: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            blobs: true,
            strict: false,
            retention_days: Retain(RetentionDays::LEAST),
            archive_dir: None,
            spool_dir: None,
            spool_bytes: 256 << 20,
            queue: 65_536,
            lines: None,
            ship: None,
            checkpoint_seconds: 3600,
            checkpoint_records: 10_000,
        }
    }
}

impl Config {
    /// Lists what the types let through but can't work.
    pub fn problems(&self) -> impl Iterator<Item = String> {
        let lines = self.lines.as_ref().and_then(Lines::problem).map(ToOwned::to_owned);
        lines.into_iter().chain(self.ship.as_ref().and_then(Ship::problem))
    }
}

/// Days that records stay: no fewer than 180 can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Retain(pub RetentionDays);

impl TryFrom<u32> for Retain {
    type Error = String;

    fn try_from(days: u32) -> Result<Self, String> {
        let least = RetentionDays::LEAST.get();
        RetentionDays::new(days)
            .map(Self)
            .ok_or_else(|| format!("audit.retention_days is {days}: records stay for {least} days or longer"))
    }
}

impl From<Retain> for u32 {
    fn from(retain: Retain) -> Self {
        retain.0.get()
    }
}

impl JsonSchema for Retain {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Retain".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "format": "uint32", "minimum": RetentionDays::LEAST.get() })
    }
}
