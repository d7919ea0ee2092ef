//! The domain: what a push, a pull, a mount or a delete means. It knows no HTTP and no feature.
//!
//! Every function takes a [`Permit`](berth_access::Permit) for the repository it works on: no permit, no call. This room calls
//! `catalog` (what exists) and `blobs` (bytes); `server` calls it.

mod cache;
mod collect;
mod config;
mod delete;
mod error;
mod health;
mod import;
mod list;
mod mode;
mod mount;
mod project;
mod pull;
mod pull_counter;
mod push;
mod redirect;
mod rehash;
mod repair;
mod room;
mod scrub;
mod status;
mod upload;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use berth_blobs::{Blobs, Elsewhere, UploadId};
use berth_catalog::{Catalog, event};
use bytes::Bytes;
use parking_lot::Mutex;

pub use cache::{Freshness, Known};
pub use collect::{CollectJob, CollectReport, Disagreement, Problem, VerifyReport};
pub use config::{Collection, Config, Limits, Redirect, Scrub, Storage, Untagged};
pub use error::{BodyError, Error, Result};
pub use health::Health;
pub use import::{ImportError, ImportJob, ImportReport, OLD_LAYOUT, OldBucket, OldRegistry, OpenOldBucket};
pub use import::{PullJob, PullOrder, PullReport};
pub use pull::{BlobContent, BlobHandle, Pulled, StoredManifest};
pub use push::PushedManifest;
pub use repair::Repaired;
pub use scrub::{ScrubJob, ScrubReport};
pub use status::Status;
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
    store: health::StoreState,
    /// Sessions that a request is writing to right now.
    writing: Mutex<HashSet<UploadId>>,
}

impl Registry {
    /// Puts the registry together. Call [`Registry::repair`] before serving from it.
    pub fn new(catalog: Catalog, blobs: Arc<dyn Blobs>, config: Config) -> Self {
        Self::assemble(catalog, blobs, config, import::Import::default())
    }

    /// Puts together a registry that may import another's store: the bucket that the catalog names, opened by `open`, or what
    /// lies where `elsewhere` says. `blobs` must serve its locations.
    pub fn with_import(
        catalog: Catalog,
        blobs: Arc<dyn Blobs>,
        config: Config,
        elsewhere: Arc<Elsewhere>,
        open: OpenOldBucket,
    ) -> Self {
        Self::assemble(catalog, blobs, config, import::Import::from(elsewhere, open))
    }

    fn assemble(catalog: Catalog, blobs: Arc<dyn Blobs>, config: Config, import: import::Import) -> Self {
        let serve_stale = Duration::from_secs(config.storage.serve_stale_seconds);
        let cache = cache::Cache::new(config.storage.cache_bytes, serve_stale);
        Self(Arc::new(Inner {
            catalog,
            blobs,
            config,
            cache,
            pulls: pull_counter::PullCounter::default(),
            room: room::Room::default(),
            import,
            mode: mode::Mode::default(),
            store: health::StoreState::default(),
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
fn new_event(kind: event::Kind, at: jiff::Timestamp, author: impl Into<event::Author>) -> event::NewEvent {
    event::NewEvent {
        id: uuid::Uuid::new_v4(),
        at,
        kind,
        repository: None,
        tag: None,
        digest: None,
        author: author.into(),
        detail: serde_json::json!({}),
    }
}
