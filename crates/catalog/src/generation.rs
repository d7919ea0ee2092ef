//! Tells whether something read from a repository may still be served: a counter per stripe of repositories.
//!
//! A writer bumps after its commit and before its acknowledgement. A reader notes the generation before it reads; what it
//! read is current while the generation stands. Two repositories that share a stripe only cost a miss.

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

    /// Bumps these stripes; one that does not exist stands for all.
    pub(crate) fn bump(&self, stripes: impl IntoIterator<Item = usize>) {
        for stripe in stripes {
            match self.0.get(stripe) {
                Some(counter) => drop(counter.fetch_add(1, Ordering::Release)),
                None => self.bump_all(),
            }
        }
    }

    pub(crate) fn bump_all(&self) {
        for counter in &self.0 {
            counter.fetch_add(1, Ordering::Release);
        }
    }
}

/// Returns the stripe that `repository` belongs to: the same in every process and version, since nodes tell each other.
pub(crate) fn stripe(repository: &RepositoryName) -> usize {
    // FNV-1a: the standard library's hash may change from one version to the next.
    let hash = repository.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    usize::try_from(hash % STRIPES as u64).unwrap_or(0)
}

/// Returns the mark that stands for every stripe.
pub(crate) const ALL: usize = usize::MAX;

/// Returns how a stripe is numbered in the table that nodes share.
pub(crate) fn to_row(stripe: usize) -> i64 {
    i64::try_from(stripe).unwrap_or(-1)
}

/// Returns the stripe that a number stands for.
pub(crate) fn from_row(number: i64) -> usize {
    usize::try_from(number).unwrap_or(ALL)
}
