//! The domain: what a push, a pull, a mount or a delete means. It knows no HTTP and no feature.
//!
//! Every function takes a [`Permit`](berth_access::Permit) for the repository it works on: no permit, no call. This room calls
//! `catalog` (what exists) and `blobs` (bytes); `server` calls it.

mod cache;
mod collect;
mod config;
mod delete;
mod error;
mod import;
mod list;
mod mode;
mod mount;
mod pull;
mod pull_counter;
mod push;
mod recall;
mod redirect;
mod rehash;
mod repair;
mod room;
mod scrub;
mod status;
mod upload;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use berth_blobs::{Blobs, UploadId};
use berth_catalog::{Catalog, event};
use bytes::Bytes;
use parking_lot::Mutex;

pub use collect::{CollectJob, CollectReport, Disagreement, Problem, VerifyReport};
pub use config::{Collection, Config, Limits, Redirect, Scrub, Storage, Untagged};
pub use error::{BodyError, Error, Result};
pub use import::{ImportError, ImportJob, ImportReport, PullJob, PullOrder, PullReport};
pub use pull::{BlobContent, BlobHandle, StoredManifest};
pub use push::PushedManifest;
pub use recall::Stale;
pub use repair::Repaired;
pub use scrub::{ScrubJob, ScrubReport};
pub use status::{Readiness, Status};
pub use upload::Upload;

/// What a request body yields: bytes, or why there are no more.
pub type BodyResult = std::result::Result<Bytes, BodyError>;

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// Items in order.
    pub items: Vec<T>,
    /// Whether another page follows.
    pub more: bool,
}

/// The registry on one catalog and one blob store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    catalog: Catalog,
    blobs: Arc<dyn Blobs>,
    config: Config,
    cache: cache::Cache,
    pulls: pull_counter::PullCounter,
    room: room::Room,
    import: import::Import,
    mode: mode::Mode,
    recall: recall::Recall,
    outage: recall::Outage,
    /// Sessions that a request is writing to right now.
    writing: Mutex<HashSet<UploadId>>,
}

impl Registry {
    /// Puts the registry together. Call [`Registry::repair`] before serving from it.
    pub fn new(catalog: Catalog, blobs: Arc<dyn Blobs>, config: Config) -> Self {
        Self::assemble(catalog, blobs, config, import::Import::default())
    }

    /// Puts together a registry that may import another's store: the one that the symbolic link `link` names, while there is one.
    /// `blobs` must serve its locations.
    pub fn with_import(catalog: Catalog, blobs: Arc<dyn Blobs>, config: Config, link: PathBuf) -> Self {
        Self::assemble(catalog, blobs, config, import::Import::behind(link))
    }

    fn assemble(catalog: Catalog, blobs: Arc<dyn Blobs>, config: Config, import: import::Import) -> Self {
        let cache = cache::Cache::new(config.storage.cache_bytes);
        let recall = recall::Recall::new(config.storage.serve_stale_seconds, config.storage.cache_bytes);
        Self(Arc::new(Inner {
            catalog,
            blobs,
            config,
            cache,
            pulls: pull_counter::PullCounter::default(),
            room: room::Room::default(),
            import,
            mode: mode::Mode::default(),
            recall,
            outage: recall::Outage::new(),
            writing: Mutex::new(HashSet::new()),
        }))
    }

    /// Returns the configuration in force.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Returns the catalog, for those who enqueue jobs or follow events.
    pub fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    /// Returns the blob store, for those who copy its bytes.
    pub fn blobs(&self) -> &Arc<dyn Blobs> {
        &self.0.blobs
    }

    fn now(&self) -> jiff::Timestamp {
        self.0.catalog.clock().now()
    }
}

/// Starts an event with everything that has a default.
fn new_event(kind: event::Kind, at: jiff::Timestamp, caller: &str) -> event::NewEvent {
    event::NewEvent {
        id: uuid::Uuid::new_v4(),
        at,
        kind,
        repository: None,
        tag: None,
        digest: None,
        caller: caller.to_owned(),
        detail: serde_json::json!({}),
    }
}
