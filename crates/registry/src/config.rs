//! The registry's part of the configuration.

use std::time::Duration;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything the registry can be told.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// What a push may be.
    pub limits: Limits,
    /// How bytes are kept.
    pub storage: Storage,
    /// When garbage is collected.
    pub gc: Collection,
    /// How stored bytes are checked.
    pub scrub: Scrub,
}

/// What a push may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest manifest accepted, in bytes. The specification asks for at least 4 MiB.
    pub manifest_bytes: usize,
    /// Most descriptors (layers, children) in one manifest.
    pub manifest_entries: usize,
    /// Deepest nesting of indexes: 1 allows an index of images only.
    pub index_depth: u64,
    /// Accept image manifests whose blobs are not (all) there. Indexes may always lack children.
    pub sparse_images: bool,
    /// Largest blob accepted, in bytes.
    pub blob_bytes: u64,
    /// Seconds after which an upload session that nobody touches ends.
    pub upload_lifetime_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            manifest_bytes: 4 << 20,
            manifest_entries: 10_000,
            index_depth: 8,
            sparse_images: false,
            blob_bytes: 1 << 40,
            upload_lifetime_seconds: 7 * 86_400,
        }
    }
}

/// How bytes are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// Blobs up to this many bytes lie in the catalog, larger ones in the blob store.
    pub inline_bytes: usize,
    /// Bytes of the disk that uploads leave free, so that the catalog can go on writing; at most a fiftieth of the disk.
    pub reserve_bytes: u64,
    /// Memory for manifests and small blobs that are pulled often, in bytes.
    pub cache_bytes: u64,
    /// Hash every blob again before it is served.
    pub verify_on_read: bool,
    /// Seconds for which what was pulled a while ago is served, and labelled as stale, while the database can't be reached; 0
    /// refuses pulls then.
    pub serve_stale_seconds: u64,
    /// Which pulls of blobs the blob store answers itself.
    pub redirect: Redirect,
}

/// Which pulls of blobs are sent on to the blob store, by a link that is good for a while. Only a store that clients can reach,
/// such as a bucket, can answer them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Redirect {
    /// Sends on pulls of blobs of at least this many bytes; 0 sends on none.
    pub from_bytes: u64,
    /// Seconds for which a link is good, at most a week: a download must begin within.
    pub valid_seconds: u64,
    /// Networks whose clients are sent on, for example `10.0.0.0/8`; empty for all.
    #[schemars(with = "Vec<String>")]
    pub networks: Vec<IpNet>,
    /// Beginnings of the `User-Agent` of clients that are sent on, for example `containerd/`; empty for all.
    pub clients: Vec<String>,
    /// Beginnings of the `User-Agent` of clients that are never sent on.
    pub except_clients: Vec<String>,
}

impl Default for Redirect {
    fn default() -> Self {
        Self {
            from_bytes: 0,
            valid_seconds: 900,
            networks: Vec::new(),
            clients: Vec::new(),
            except_clients: Vec::new(),
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            inline_bytes: 16 << 10,
            reserve_bytes: 256 << 20,
            cache_bytes: 32 << 20,
            verify_on_read: false,
            serve_stale_seconds: 0,
            redirect: Redirect::default(),
        }
    }
}

/// What happens to manifests without a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Untagged {
    /// They stay until a client deletes them.
    Keep,
    /// They are collected, unless an index lists them or they refer to a manifest that stays.
    Delete,
}

/// When garbage is collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Collection {
    /// Seconds from the end of one collection to the start of the next; 0 turns the schedule off.
    pub every_seconds: u64,
    /// Seconds that something must have been unneeded before it goes. Must be longer than the longest push takes.
    pub delay_seconds: u64,
    /// What happens to manifests without a tag.
    pub untagged: Untagged,
}

impl Default for Collection {
    fn default() -> Self {
        Self { every_seconds: 3600, delay_seconds: 86_400, untagged: Untagged::Keep }
    }
}

/// How stored bytes are checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Scrub {
    /// Seconds from the end of one scrub to the start of the next; 0 turns the schedule off.
    pub every_seconds: u64,
    /// Bytes read per second at most; 0 for no limit.
    pub bytes_per_second: u64,
}

impl Default for Scrub {
    fn default() -> Self {
        Self { every_seconds: 7 * 86_400, bytes_per_second: 50 << 20 }
    }
}

/// Converts a configured number of seconds to a signed duration.
pub(crate) fn seconds(seconds: u64) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(Duration::from_secs(seconds)).unwrap_or(jiff::SignedDuration::MAX)
}
