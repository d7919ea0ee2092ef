//! What this process remembers of the catalog: manifests, and blobs' rows with the small ones' bytes.
//!
//! An entry knows the generation of its repository under which it was last known to be right, and when. While that generation
//! stands it is the answer. When nobody can say whether it stands, because the catalog is out of reach, it is an answer with an
//! age, for those who allow that; what this node knows to be withdrawn is neither.
//!
//! On a catalog that nodes share a tag is asked for each time: another node may just have moved it. What a digest names can
//! only go, which every node hears of within the time that a deletion takes.

use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use berth_catalog::Catalog;
use berth_catalog::blob::{Blob, Placement};
use berth_oci::{Digest, Reference, RepositoryName};
use quick_cache::Weighter;
use quick_cache::sync::Cache as QuickCache;

use crate::pull::StoredManifest;
use crate::pull_counter::Tally;

/// Rough cost of an entry besides its content: keys, counters, the cache's own books.
const ENTRY_BYTES: u64 = 512;
/// Expected size of an entry, for the cache's tables.
const TYPICAL_BYTES: u64 = 4096;

/// Whether an answer is known to be right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It is.
    Current,
    /// The catalog can't be asked, or the registry has moved elsewhere; so long ago it was right.
    Stale(Duration),
}

/// An answer, and whether it is known to be right.
#[derive(Debug, Clone)]
pub struct Known<T> {
    /// The answer.
    pub content: T,
    /// Whether it is known to be right.
    pub freshness: Freshness,
}

impl<T> Known<T> {
    /// Makes an answer of now.
    pub(crate) fn current(content: T) -> Self {
        Self { content, freshness: Freshness::Current }
    }

    /// Says the same of something else.
    pub(crate) fn map<U>(self, map: impl FnOnce(T) -> U) -> Known<U> {
        Known { content: map(self.content), freshness: self.freshness }
    }

    /// Tells whether it may not be right any more.
    pub(crate) fn is_stale(&self) -> bool {
        self.freshness != Freshness::Current
    }
}

/// A value and when it was read.
#[derive(Debug, Clone)]
struct Dated<T> {
    /// The last generation of the repository that was known before it was read.
    generation: u64,
    at: Instant,
    value: T,
}

/// A manifest with its counters.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) manifest: Arc<StoredManifest>,
    /// Counts under the reference asked for.
    pub(crate) by_reference: Arc<Tally>,
    /// Counts under the digest, when the reference is a tag.
    pub(crate) by_digest: Option<Arc<Tally>>,
}

impl Served {
    fn new((repository, reference): &ManifestKey, manifest: StoredManifest) -> Self {
        Self {
            by_reference: Tally::new(repository, reference.to_string()),
            by_digest: reference.tag().map(|_| Tally::new(repository, manifest.digest.to_string())),
            manifest: Arc::new(manifest),
        }
    }

    /// Returns what was found by a tag as found by its digest: clients resolve a tag, then fetch by digest.
    fn under_digest(&self) -> Option<(Reference, Self)> {
        let by_reference = Arc::clone(self.by_digest.as_ref()?);
        let manifest = Arc::clone(&self.manifest);
        Some((self.manifest.digest.into(), Self { manifest, by_reference, by_digest: None }))
    }
}

type ManifestKey = (RepositoryName, Reference);
type BlobKey = (RepositoryName, Digest);

/// Names something in a repository.
pub(crate) trait Key: Hash + Eq + Clone {
    fn repository(&self) -> &RepositoryName;

    /// Whether other nodes may make it name something else, of which this one does not hear.
    fn is_movable(&self) -> bool;
}

impl Key for ManifestKey {
    fn repository(&self) -> &RepositoryName {
        &self.0
    }

    fn is_movable(&self) -> bool {
        self.1.tag().is_some()
    }
}

impl Key for BlobKey {
    fn repository(&self) -> &RepositoryName {
        &self.0
    }

    fn is_movable(&self) -> bool {
        false
    }
}

/// What takes memory.
pub(crate) trait Content: Clone {
    fn bytes(&self) -> u64;
}

impl Content for Served {
    fn bytes(&self) -> u64 {
        self.manifest.content.len() as u64
    }
}

impl Content for Arc<Blob> {
    fn bytes(&self) -> u64 {
        match &self.placement {
            Placement::Inline(content) => content.len() as u64,
            Placement::Stored(location) => location.len() as u64,
        }
    }
}

#[derive(Debug, Clone)]
struct ByBytes;

impl<K, T: Content> Weighter<K, Dated<T>> for ByBytes {
    fn weight(&self, _: &K, entry: &Dated<T>) -> u64 {
        ENTRY_BYTES + entry.value.bytes()
    }
}

/// What is remembered of one noun.
#[derive(Debug)]
pub(crate) struct Memory<K, T: Content> {
    entries: QuickCache<K, Dated<T>, ByBytes>,
    /// For how long entries are answers while nobody can say whether they stand; zero for never.
    most: Duration,
}

impl<K: Key, T: Content> Memory<K, T> {
    fn new(bytes: u64, most: Duration) -> Self {
        let items = usize::try_from(bytes / TYPICAL_BYTES).unwrap_or(usize::MAX).max(1);
        Self { entries: QuickCache::with_weighter(items, bytes, ByBytes), most }
    }

    /// Returns what is known to be right.
    pub(crate) fn current(&self, catalog: &Catalog, key: &K) -> Option<Known<T>> {
        if catalog.is_shared() && key.is_movable() {
            return None;
        }
        let entry = self.entries.get(key)?;
        // An entry that was read while nobody could say what stood is as good as others: had anything been withdrawn before the
        // generation stood again, it would be another.
        let stands = catalog.generation(key.repository()) == Some(entry.generation);
        stands.then(|| Known::current(entry.value))
    }

    /// Returns what was right a while ago, when nobody can be asked; `None` if it is known to be withdrawn, or it is too long ago.
    pub(crate) fn recall(&self, catalog: &Catalog, key: &K) -> Option<Known<T>> {
        if self.most.is_zero() {
            return None;
        }
        let entry = self.entries.get(key)?;
        let read = entry.at.elapsed();
        // What can only be withdrawn was right when this node last heard of withdrawals, if it was read before.
        let heard = catalog.last_heard().filter(|_| !key.is_movable());
        let age = heard.map_or(read, |heard| heard.min(read));
        let stands = catalog.last_generation(key.repository()) == entry.generation;
        (stands && age <= self.most).then(|| Known { content: entry.value, freshness: Freshness::Stale(age) })
    }

    /// Remembers what was read after `generation` was the last one known.
    pub(crate) fn keep(&self, key: K, generation: u64, value: T) {
        self.entries.insert(key, Dated { generation, at: Instant::now(), value });
    }

    /// Forgets what the catalog no longer has.
    pub(crate) fn forget(&self, key: &K) {
        self.entries.remove(key);
    }
}

/// What this process remembers of the catalog.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(crate) manifests: Memory<ManifestKey, Served>,
    pub(crate) blobs: Memory<BlobKey, Arc<Blob>>,
    /// Longest that an answer may be stale.
    pub(crate) most: Duration,
}

impl Cache {
    /// Splits `bytes` evenly between manifests and blobs; what is `serve_stale` old at most may be recalled.
    pub(crate) fn new(bytes: u64, serve_stale: Duration) -> Self {
        let half = bytes / 2;
        Self {
            manifests: Memory::new(half, serve_stale),
            blobs: Memory::new(half, serve_stale),
            most: serve_stale,
        }
    }

    /// Remembers a manifest, with the counters of the entry before if it is the same, and returns it.
    pub(crate) fn keep_manifest(
        &self,
        catalog: &Catalog,
        key: &ManifestKey,
        generation: u64,
        found: StoredManifest,
    ) -> Served {
        let is_same = |manifest: &StoredManifest| {
            manifest.digest == found.digest
                && manifest.media_type == found.media_type
                && manifest.questioned_at == found.questioned_at
        };
        let served = match self.manifests.entries.get(key) {
            Some(entry) if is_same(&entry.value.manifest) => entry.value,
            _ => Served::new(key, found),
        };
        // The pull by digest that follows would find the tag's entry nowhere.
        if (catalog.is_shared() || !self.most.is_zero())
            && let Some((reference, value)) = served.under_digest()
        {
            self.manifests.keep((key.0.clone(), reference), generation, value);
        }
        self.manifests.keep(key.clone(), generation, served.clone());
        served
    }
}
