//! Tells whether something read from a repository may still be served: a counter per stripe of repositories.
//!
//! A writer bumps after its commit and before its acknowledgement. A reader notes the generation before it reads; what it
//! read is current while the generation stands. Two repositories that share a stripe only cost a miss.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicU64, Ordering};

use berth_oci::RepositoryName;

const STRIPES: usize = 4096;

/// The counters of one process.
#[derive(Debug)]
pub(crate) struct Generations(Box<[AtomicU64]>);

impl Generations {
    pub(crate) fn new() -> Self {
        Self((0..STRIPES).map(|_| AtomicU64::new(0)).collect())
    }

    pub(crate) fn get(&self, repository: &RepositoryName) -> u64 {
        self.0[stripe(repository)].load(Ordering::Acquire)
    }

    pub(crate) fn bump(&self, stripes: &[usize]) {
        for &stripe in stripes {
            self.0[stripe].fetch_add(1, Ordering::Release);
        }
    }
}

/// Returns the stripe that `repository` belongs to.
pub(crate) fn stripe(repository: &RepositoryName) -> usize {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(repository.as_str());
    usize::try_from(hash % STRIPES as u64).unwrap_or(0)
}

/// Returns every stripe.
pub(crate) fn all() -> std::ops::Range<usize> {
    0..STRIPES
}
