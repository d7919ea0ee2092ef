//! Keeps recently read files open: opening costs a hop to a pool thread, reading a small blob less.

use std::{fmt, sync::Arc};

use quick_cache::sync::Cache;

use super::reader::DiskReader;
use crate::{BlobReader, Location};

/// Holds readers by location. A blob that is deleted or truncated, by the store or behind its back, is never found here.
pub(super) struct OpenFiles(Cache<Location, Arc<DiskReader>>);

impl OpenFiles {
    pub(super) fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    pub(super) fn get(&self, location: &Location) -> Option<Arc<dyn BlobReader>> {
        let reader = self.0.get(location)?;
        if reader.is_current() {
            return Some(reader);
        }
        self.0.remove(location);
        None
    }

    /// Keeps a reader that was just opened, and returns it.
    pub(super) fn insert(&self, location: &Location, reader: DiskReader) -> Arc<dyn BlobReader> {
        let reader = Arc::new(reader);
        self.0.insert(location.clone(), Arc::clone(&reader));
        // The file may have been deleted since it was opened, and the deletion have looked here before the insertion. An
        // open file would hold its space.
        if !reader.is_current() {
            self.0.remove(location);
        }
        reader
    }

    pub(super) fn remove(&self, location: &Location) {
        self.0.remove(location);
    }
}

impl fmt::Debug for OpenFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenFiles({})", self.0.len())
    }
}
