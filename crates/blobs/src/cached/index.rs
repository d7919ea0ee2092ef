//! What the cache holds, in the order of use, and what is coming.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{directory::Kept, fill::Fill};
use crate::BlobReader as _;

/// Counts bytes, and says what has to go.
#[derive(Debug)]
pub(super) struct Index {
    limit: u64,
    /// Of files, and of blobs that are coming.
    bytes: u64,
    files: HashMap<String, (u64, Kept)>,
    /// Keys by when they were used.
    order: BTreeMap<u64, String>,
    uses: u64,
    fills: HashMap<String, Arc<Fill>>,
}

impl Index {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            bytes: 0,
            files: HashMap::new(),
            order: BTreeMap::new(),
            uses: 0,
            fills: HashMap::new(),
        }
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes a file in, as the one used last; returns those that have to go for it.
    pub(super) fn insert(&mut self, file: Kept) -> Vec<Kept> {
        let mut surplus: Vec<_> = self.remove_file(&file.key).into_iter().collect();
        self.bytes += file.size;
        self.uses += 1;
        self.order.insert(self.uses, file.key.clone());
        self.files.insert(file.key.clone(), (self.uses, file));
        surplus.extend(self.evict());
        surplus
    }

    /// Returns a file, which counts as used now.
    pub(super) fn touch(&mut self, key: &str) -> Option<Kept> {
        let (used, file) = self.files.get_mut(key)?;
        self.order.remove(used);
        self.uses += 1;
        *used = self.uses;
        self.order.insert(self.uses, key.to_owned());
        Some(file.clone())
    }

    /// Notes that a file has been hashed.
    pub(super) fn set_verified(&mut self, key: &str) {
        if let Some((_, file)) = self.files.get_mut(key) {
            file.verified = true;
        }
    }

    /// Returns a blob that is coming.
    pub(super) fn fill(&self, key: &str) -> Option<Arc<Fill>> {
        self.fills.get(key).cloned()
    }

    /// Returns a number that no coming of a blob had yet.
    pub(super) fn next_fill(&mut self) -> u64 {
        self.uses += 1;
        self.uses
    }

    /// Makes room for a blob that comes; returns files that have to go for it.
    pub(super) fn start(&mut self, key: &str, fill: &Arc<Fill>) -> Vec<Kept> {
        self.bytes += fill.size();
        self.fills.insert(key.to_owned(), Arc::clone(fill));
        self.evict()
    }

    /// Tells whether a blob that is coming is still wanted.
    pub(super) fn is_coming(&self, key: &str, fill: &Arc<Fill>) -> bool {
        self.fills.get(key).is_some_and(|found| Arc::ptr_eq(found, fill))
    }

    /// Ends the coming of a blob. Returns false if the blob is no longer wanted.
    pub(super) fn end(&mut self, key: &str, fill: &Arc<Fill>) -> bool {
        self.bytes -= fill.size();
        let wanted = self.is_coming(key, fill);
        if wanted {
            self.fills.remove(key);
        }
        wanted
    }

    /// Takes in the file of a blob that has come. Returns those that have to go for it: itself, if the blob is no longer wanted
    /// and has not come anew meanwhile, which would have made the same file.
    pub(super) fn complete(&mut self, fill: &Arc<Fill>, kept: Kept) -> Vec<Kept> {
        if self.end(&kept.key, fill) {
            return self.insert(kept);
        }
        if self.files.contains_key(&kept.key) { Vec::new() } else { vec![kept] }
    }

    /// Forgets a blob, also one that is coming; returns its file, if it has one.
    pub(super) fn remove(&mut self, key: &str) -> Option<Kept> {
        self.fills.remove(key);
        self.remove_file(key)
    }

    /// Forgets a file, and no blob that is coming in its stead; `None` if it is forgotten already.
    pub(super) fn remove_bad(&mut self, bad: &Kept) -> Option<Kept> {
        let (_, file) = self.files.get(&bad.key)?;
        if (file.size, &file.sha256) == (bad.size, &bad.sha256) { self.remove_file(&bad.key) } else { None }
    }

    fn remove_file(&mut self, key: &str) -> Option<Kept> {
        let (used, file) = self.files.remove(key)?;
        self.order.remove(&used);
        self.bytes -= file.size;
        Some(file)
    }

    fn evict(&mut self) -> Vec<Kept> {
        let mut surplus = Vec::new();
        while self.bytes > self.limit
            && let Some((_, key)) = self.order.pop_first()
        {
            surplus.extend(self.remove_file(&key));
        }
        surplus
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(key: &str, size: u64) -> Kept {
        Kept { key: key.into(), size, sha256: String::new(), verified: false }
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let mut index = Index::new(100);
        assert!(index.insert(file("a", 40)).is_empty());
        assert!(index.insert(file("b", 40)).is_empty());
        assert_eq!(index.touch("a"), Some(file("a", 40)));
        assert_eq!(index.insert(file("c", 40)), [file("b", 40)]);
        assert_eq!(index.bytes(), 80);
        assert_eq!(index.touch("b"), None);
        assert_eq!(index.insert(file("a", 50)), [file("a", 40)], "the same again replaces it");
        assert_eq!(index.remove("c"), Some(file("c", 40)));
        assert_eq!(index.remove("c"), None);
        assert_eq!(index.bytes(), 50);
        assert_eq!(index.insert(file("d", 200)), [file("a", 50), file("d", 200)]);
        assert_eq!(index.bytes(), 0);
    }
}
