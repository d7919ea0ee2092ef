//! Where the other store lies: every node finds it in the catalog, or behind a link of its own.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use berth_blobs::{Bucket, Elsewhere, Foreign, Location};
use berth_catalog::imported::{self, Source};
use parking_lot::Mutex;

use super::layout::OldStore;
use crate::{Error, Registry, Result};

/// Time between two tries to open a bucket that can't be opened.
const AGAIN: Duration = Duration::from_secs(5);

/// A bucket that holds another registry's store below its prefix.
#[derive(Debug)]
pub struct OldBucket {
    /// The bucket.
    pub bucket: Bucket,
    /// Whether clients that are sent to our own bucket reach this one, too.
    pub links: bool,
}

type Open = dyn Fn(&str) -> Result<OldBucket, String> + Send + Sync;

/// Opens a bucket by the address that is noted in the catalog, or says why it can't. May block for a moment.
#[derive(Clone)]
pub struct OpenOldBucket(Arc<Open>);

impl OpenOldBucket {
    /// Opens buckets with this function.
    pub fn with(open: impl Fn(&str) -> Result<OldBucket, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(open))
    }

    pub(super) fn open(&self, address: &str) -> Result<OldBucket, String> {
        (self.0)(address)
    }
}

impl fmt::Debug for OpenOldBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenOldBucket").finish_non_exhaustive()
    }
}

/// What this node knows of the other store.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) elsewhere: Arc<Elsewhere>,
    pub(super) open: OpenOldBucket,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    source: Option<Source>,
    /// When it could not be opened.
    failed: Option<Instant>,
}

impl Sources {
    pub(super) fn new(elsewhere: Arc<Elsewhere>, open: OpenOldBucket) -> Self {
        Self { elsewhere, open, told: Mutex::default() }
    }

    pub(super) fn store(&self) -> Result<Option<OldStore>> {
        let told = self.told.lock();
        let source = told.source.as_ref().map(|source| source.name.clone());
        match (self.elsewhere.objects(), source) {
            (Some(objects), source) => Ok(Some(OldStore::new(objects, source))),
            (None, Some(name)) => {
                Err(Error::Unavailable(format!("the bucket {name} can't be opened on this node").into()))
            }
            (None, None) => Ok(None),
        }
    }

    /// Tells whether the catalog says something else than this node has done.
    fn is_news(&self, source: Option<&Source>) -> bool {
        let told = self.told.lock();
        told.source.as_ref() != source || told.failed.is_some_and(|at| at.elapsed() >= AGAIN)
    }

    /// Does what the catalog says. Blocks for a moment.
    fn follow(&self, source: Option<Source>) {
        let opened = source.as_ref().map(|source| self.open.open(&source.address));
        let mut told = self.told.lock();
        let known = told.source == source;
        told.failed = None;
        match opened {
            None => self.elsewhere.forget(),
            Some(Ok(OldBucket { bucket, links })) => self.elsewhere.open(bucket, links),
            Some(Err(reason)) => {
                let name = source.as_ref().map_or("", |source| &source.name);
                // Once, not every few seconds.
                if !known {
                    tracing::error!(
                        bucket = name,
                        reason,
                        "can't open the bucket that is imported, its blobs are not served by this node"
                    );
                }
                self.elsewhere.close(format!("the bucket {name} that is imported can't be opened: {reason}"));
                told.failed = Some(Instant::now());
            }
        }
        told.source = source;
    }
}

impl Registry {
    /// Tells whether to open a blob once more that was not found: it lies in another registry's bucket, and this node has only now
    /// heard of it.
    pub(crate) async fn may_lie_elsewhere<T>(
        &self,
        location: &Location,
        opened: &berth_blobs::Result<T>,
    ) -> berth_blobs::Result<bool> {
        if !matches!(opened, Err(berth_blobs::Error::NotFound)) || !Foreign::is_location(location.as_str()) {
            return Ok(false);
        }
        let unknown =
            |error: Error| berth_blobs::Error::Unavailable(format!("whether a bucket is imported: {error}"));
        self.heed_import().await.map_err(unknown)
    }

    /// Looks which bucket is being imported, and opens it. Returns whether that is news.
    pub async fn heed_import(&self) -> Result<bool> {
        let Some(sources) = &self.0.import.sources else { return Ok(false) };
        let source = self.0.catalog.read(async |r| imported::find_source(r).await).await?;
        if !sources.is_news(source.as_ref()) {
            return Ok(false);
        }
        let registry = self.clone();
        let follow = move || {
            if let Some(sources) = &registry.0.import.sources {
                sources.follow(source);
            }
        };
        tokio::task::spawn_blocking(follow).await.map_err(|error| Error::Internal(error.into()))?;
        Ok(true)
    }
}
