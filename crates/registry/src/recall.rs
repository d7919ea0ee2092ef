//! What was served a while ago, for the time that the catalog can't be reached.
//!
//! Off unless `storage.serve_stale_seconds` says how long. Then what pulls find is remembered with when that was and under which
//! generation. What this node knows to be withdrawn is never recalled; what another node withdrew after the connection was lost
//! may be, which is why callers label it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use berth_access::{Permit, Pull};
use berth_blobs::Location;
use berth_catalog::Catalog;
use berth_catalog::blob::{Blob, Placement};
use berth_oci::{Digest, Reference, RepositoryName};
use quick_cache::Weighter;
use quick_cache::sync::Cache as QuickCache;

use crate::cache::Served;
use crate::pull::{BlobContent, BlobHandle, StoredManifest};
use crate::rehash::{Pace, Verdict, compare};
use crate::{Registry, Result};

/// How long a pull waits for the catalog when it could have something else instead.
const MOMENT: Duration = Duration::from_secs(1);
/// How often the catalog is asked while it is known to be out of reach.
const PROBE_MILLIS: u64 = 1000;
/// Rough cost of an entry besides its content.
const ENTRY_BYTES: u64 = 512;
/// Expected size of an entry, for the tables.
const TYPICAL_BYTES: u64 = 4096;

/// Something that was right when it was last known.
#[derive(Debug, Clone)]
pub struct Stale<T> {
    /// What was remembered.
    pub content: T,
    /// How long ago it was last known to be right.
    pub age: Duration,
}

/// Since when the catalog can't be reached.
#[derive(Debug)]
pub(crate) struct Outage {
    start: Instant,
    /// Milliseconds since `start`, 0 while it can be reached.
    since: AtomicU64,
    next_probe: AtomicU64,
    #[cfg(any(test, feature = "testing"))]
    supposed: std::sync::atomic::AtomicBool,
}

#[derive(Debug, Clone)]
struct Remembered<T> {
    generation: u64,
    at: Instant,
    value: T,
}

type ManifestKey = (RepositoryName, Reference);
type BlobKey = (RepositoryName, Digest);

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<ManifestKey, Remembered<Served>> for ByBytes {
    fn weight(&self, _: &ManifestKey, entry: &Remembered<Served>) -> u64 {
        ENTRY_BYTES + entry.value.manifest.content.len() as u64
    }
}

impl Weighter<BlobKey, Remembered<Arc<Blob>>> for ByBytes {
    fn weight(&self, _: &BlobKey, entry: &Remembered<Arc<Blob>>) -> u64 {
        ENTRY_BYTES
            + match &entry.value.placement {
                Placement::Inline(content) => content.len() as u64,
                Placement::Stored(location) => location.len() as u64,
            }
    }
}

/// What is remembered.
#[derive(Debug)]
pub(crate) struct Recall {
    /// For how long it may be served; zero remembers nothing.
    pub(crate) most: Duration,
    manifests: QuickCache<ManifestKey, Remembered<Served>, ByBytes>,
    blobs: QuickCache<BlobKey, Remembered<Arc<Blob>>, ByBytes>,
}

impl Outage {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            since: AtomicU64::new(0),
            next_probe: AtomicU64::new(0),
            #[cfg(any(test, feature = "testing"))]
            supposed: false.into(),
        }
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    fn noticed(&self) {
        let now = self.millis();
        if self.since.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            tracing::error!("the database cannot be reached");
        }
        self.next_probe.store(now + PROBE_MILLIS, Ordering::Relaxed);
    }

    /// Notes that the catalog has answered. Costs one look while nothing is wrong.
    pub(crate) fn over(&self) {
        if self.since.load(Ordering::Relaxed) != 0 && self.since.swap(0, Ordering::Relaxed) != 0 {
            tracing::info!("the database can be reached again");
        }
    }

    /// How long the catalog has been out of reach; `None` while it is not.
    pub(crate) fn age(&self) -> Option<Duration> {
        let since = self.since.load(Ordering::Relaxed);
        (since != 0).then(|| Duration::from_millis(self.millis().saturating_sub(since)))
    }

    /// Tells whether to ask the catalog: always while it can be reached, else one caller a second.
    fn may_ask(&self) -> bool {
        if self.since.load(Ordering::Relaxed) == 0 {
            return true;
        }
        let (now, due) = (self.millis(), self.next_probe.load(Ordering::Relaxed));
        let claim = || {
            self.next_probe.compare_exchange(due, now + PROBE_MILLIS, Ordering::Relaxed, Ordering::Relaxed)
        };
        now >= due && claim().is_ok()
    }
}

impl Recall {
    /// Remembers for `seconds`, in at most `bytes` that are not in the cache anyway.
    pub(crate) fn new(seconds: u64, bytes: u64) -> Self {
        let half = if seconds == 0 { 0 } else { bytes / 2 };
        let items = usize::try_from(half / TYPICAL_BYTES).unwrap_or(usize::MAX).max(1);
        Self {
            most: Duration::from_secs(seconds),
            manifests: QuickCache::with_weighter(items, half, ByBytes),
            blobs: QuickCache::with_weighter(items, half, ByBytes),
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        !self.most.is_zero()
    }

    pub(crate) fn has_manifest(&self, key: &ManifestKey) -> bool {
        self.is_on() && self.manifests.contains_key(key)
    }

    pub(crate) fn has_blob(&self, key: &BlobKey) -> bool {
        self.is_on() && self.blobs.contains_key(key)
    }

    /// Remembers what the catalog said just now, that there is no such thing included. `generation` is from before.
    pub(crate) fn note_manifest(&self, key: &ManifestKey, generation: u64, found: Option<&Served>) {
        match found {
            _ if !self.is_on() => {}
            Some(served) => {
                let at = Instant::now();
                // The pull by digest that follows finds it in the cache, and is not noted by itself.
                if let Some((reference, value)) = served.under_digest() {
                    let entry = Remembered { generation, at, value };
                    self.manifests.insert((key.0.clone(), reference), entry);
                }
                let entry = Remembered { generation, at, value: served.clone() };
                self.manifests.insert(key.clone(), entry);
            }
            None => drop(self.manifests.remove(key)),
        }
    }

    /// The same for a blob's row.
    pub(crate) fn note_blob(&self, key: &BlobKey, generation: u64, found: Option<&Arc<Blob>>) {
        match found {
            _ if !self.is_on() => {}
            Some(blob) => {
                let entry = Remembered { generation, at: Instant::now(), value: Arc::clone(blob) };
                self.blobs.insert(key.clone(), entry);
            }
            None => drop(self.blobs.remove(key)),
        }
    }
}

impl Registry {
    /// Asks the catalog for a pull. With something to serve instead (`remembered`) it waits a moment only, and while the catalog
    /// is known to be out of reach one pull a second asks at all.
    pub(crate) async fn ask<T>(
        &self,
        remembered: bool,
        asking: impl Future<Output = berth_catalog::Result<T>>,
    ) -> Result<T> {
        let outage = &self.0.outage;
        let unavailable = |why: &str| berth_catalog::Error::Unavailable(why.to_owned());
        if remembered && !outage.may_ask() {
            return Err(unavailable("it was out of reach a moment ago").into());
        }
        #[cfg(any(test, feature = "testing"))]
        if outage.supposed.load(Ordering::Relaxed) {
            outage.noticed();
            return Err(unavailable("as the test supposes").into());
        }
        let answer = if remembered {
            let late = |_| Err(unavailable("no answer within a second"));
            tokio::time::timeout(MOMENT, asking).await.unwrap_or_else(late)
        } else {
            asking.await
        };
        match &answer {
            Ok(_) => outage.over(),
            Err(berth_catalog::Error::Unavailable(_)) => outage.noticed(),
            Err(_) => {}
        }
        Ok(answer?)
    }

    /// Returns a manifest that was pulled before, when the catalog can't be asked; `None` if none is remembered or it is too
    /// long ago. Counts the pull.
    pub fn recall_manifest(
        &self,
        permit: &Permit<Pull>,
        reference: &Reference,
    ) -> Option<Stale<Arc<StoredManifest>>> {
        let key = (permit.repository().clone(), reference.clone());
        let entry = self.0.recall.manifests.get(&key)?;
        // Another node may have moved a tag at any time since it was read; what a digest names can only be withdrawn.
        let since = reference.tag().map(|_| entry.at);
        let age = self.age(permit.repository(), entry.generation, since)?;
        self.0.pulls.record(&entry.value.by_reference);
        if let Some(by_digest) = &entry.value.by_digest {
            self.0.pulls.record(by_digest);
        }
        Some(Stale { content: entry.value.manifest, age })
    }

    /// Opens a blob that was pulled before, when the catalog can't be asked; `None` if it is not remembered, too long ago, or its
    /// bytes can't be read.
    pub async fn recall_blob(&self, permit: &Permit<Pull>, digest: &Digest) -> Option<Stale<BlobHandle>> {
        let key = (permit.repository().clone(), *digest);
        let entry = self.0.recall.blobs.get(&key)?;
        let age = self.age(permit.repository(), entry.generation, None)?;
        let content = match &entry.value.placement {
            Placement::Inline(content) => BlobContent::Inline(content.clone()),
            Placement::Stored(location) => {
                let reader = self.0.blobs.open(&Location::from(location.as_str())).await.ok()?;
                BlobContent::Stored(Some(reader).filter(|reader| reader.size() == entry.value.size)?)
            }
        };
        let handle = BlobHandle { digest: *digest, size: entry.value.size, content };
        if self.0.config.storage.verify_on_read
            && !matches!(compare(&handle, &mut Pace::free()).await, Verdict::Matches)
        {
            return None;
        }
        Some(Stale { content: handle, age })
    }

    /// How long ago something was last known to be right; `None` if it isn't any more, or too long ago.
    fn age(&self, repository: &RepositoryName, generation: u64, since: Option<Instant>) -> Option<Duration> {
        let catalog: &Catalog = &self.0.catalog;
        let out = self.0.outage.age().unwrap_or_default();
        let age = since.map_or(out, |since| since.elapsed());
        (generation == catalog.last_generation(repository) && age <= self.0.recall.most).then_some(age)
    }

    /// Lets every pull find the catalog out of reach, the cache being in doubt, or in reach again.
    #[cfg(any(test, feature = "testing"))]
    pub fn suppose_catalog_lost(&self, lost: bool) {
        self.0.outage.supposed.store(lost, Ordering::Relaxed);
        self.0.cache.clear();
        // The next pull finds out, not the one in a second.
        self.0.outage.next_probe.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
