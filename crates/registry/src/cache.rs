//! Manifests and small blobs in memory, used only while what they were read under still stands.
//!
//! On a catalog that nodes share a tag is asked for each time: another node may just have moved it. What a digest names can
//! only go, which every node hears of within the time that a deletion takes.

use std::sync::Arc;

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

/// A value and the generation of its repository before it was read; without one it may not be served.
#[derive(Debug, Clone)]
struct Dated<T> {
    generation: Option<u64>,
    value: T,
}

impl<T> Dated<T> {
    fn stands(&self, catalog: &Catalog, repository: &RepositoryName) -> bool {
        self.generation.is_some() && self.generation == catalog.generation(repository)
    }
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
    pub(crate) fn under_digest(&self) -> Option<(Reference, Self)> {
        let by_reference = Arc::clone(self.by_digest.as_ref()?);
        let manifest = Arc::clone(&self.manifest);
        Some((self.manifest.digest.into(), Self { manifest, by_reference, by_digest: None }))
    }
}

type ManifestKey = (RepositoryName, Reference);
type BlobKey = (RepositoryName, Digest);

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<ManifestKey, Dated<Served>> for ByBytes {
    fn weight(&self, _: &ManifestKey, entry: &Dated<Served>) -> u64 {
        ENTRY_BYTES + entry.value.manifest.content.len() as u64
    }
}

impl Weighter<BlobKey, Dated<Arc<Blob>>> for ByBytes {
    fn weight(&self, _: &BlobKey, entry: &Dated<Arc<Blob>>) -> u64 {
        ENTRY_BYTES
            + match &entry.value.placement {
                Placement::Inline(content) => content.len() as u64,
                Placement::Stored(location) => location.len() as u64,
            }
    }
}

/// What this process remembers of the catalog.
#[derive(Debug)]
pub(crate) struct Cache {
    manifests: QuickCache<ManifestKey, Dated<Served>, ByBytes>,
    blobs: QuickCache<BlobKey, Dated<Arc<Blob>>, ByBytes>,
}

impl Cache {
    /// Splits `bytes` evenly between manifests and blobs.
    pub(crate) fn new(bytes: u64) -> Self {
        let half = bytes / 2;
        let items = usize::try_from(half / TYPICAL_BYTES).unwrap_or(usize::MAX).max(1);
        Self {
            manifests: QuickCache::with_weighter(items, half, ByBytes),
            blobs: QuickCache::with_weighter(items, half, ByBytes),
        }
    }

    pub(crate) fn manifest(&self, catalog: &Catalog, key: &ManifestKey) -> Option<Served> {
        if catalog.is_shared() && key.1.tag().is_some() {
            return None;
        }
        let entry = self.manifests.get(key)?;
        entry.stands(catalog, &key.0).then_some(entry.value)
    }

    /// Keeps a manifest read under `generation`, with the counters of the entry before if it is the same, and returns it.
    pub(crate) fn keep_manifest(
        &self,
        catalog: &Catalog,
        key: &ManifestKey,
        generation: Option<u64>,
        found: StoredManifest,
    ) -> Served {
        let is_same = |manifest: &StoredManifest| {
            manifest.digest == found.digest
                && manifest.media_type == found.media_type
                && manifest.questioned_at == found.questioned_at
        };
        let served = match self.manifests.get(key) {
            Some(entry) if is_same(&entry.value.manifest) => entry.value,
            _ => Served::new(key, found),
        };
        if catalog.is_shared()
            && let Some((reference, value)) = served.under_digest()
        {
            self.manifests.insert((key.0.clone(), reference), Dated { generation, value });
        }
        self.manifests.insert(key.clone(), Dated { generation, value: served.clone() });
        served
    }

    pub(crate) fn blob(&self, catalog: &Catalog, key: &BlobKey) -> Option<Arc<Blob>> {
        let entry = self.blobs.get(key)?;
        entry.stands(catalog, &key.0).then_some(entry.value)
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn clear(&self) {
        self.manifests.clear();
        self.blobs.clear();
    }

    /// Keeps a blob's row read under `generation`.
    pub(crate) fn keep_blob(&self, key: BlobKey, generation: Option<u64>, value: Arc<Blob>) {
        self.blobs.insert(key, Dated { generation, value });
    }
}
