//! Hashes an upload across requests, restarts and nodes.

use std::fmt;

use berth_oci::{Algorithm, Digest};
use sha2::{
    Digest as _, Sha256, Sha512,
    digest::common::hazmat::{SerializableState, SerializedState},
};

/// Tags a saved state. Its layout belongs to `sha2` 0.11: raise the number when a test here says that the layout changed,
/// and states saved before are refused instead of continued wrongly.
const FORMAT: u8 = 1;
const SHA256: u8 = 1;
const SHA512: u8 = 2;

/// Computes a digest over bytes that come in pieces; its state can be saved between two of them.
#[derive(Clone)]
pub enum Hasher {
    /// Computes SHA-256.
    Sha256(Sha256),
    /// Computes SHA-512.
    Sha512(Sha512),
}

impl Hasher {
    /// Returns a hasher that has seen nothing.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    /// Takes the next bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// Returns the digest of everything taken in.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "a hash is as long as its own algorithm's digests"
    )]
    pub fn finish(self) -> Digest {
        let digest = match self {
            Self::Sha256(hasher) => Digest::from_bytes(Algorithm::Sha256, &hasher.finalize()),
            Self::Sha512(hasher) => Digest::from_bytes(Algorithm::Sha512, &hasher.finalize()),
        };
        digest.expect("a digest of the algorithm's length")
    }

    /// Returns what is being computed.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Returns the state as bytes, for [`restore`](Self::restore).
    pub fn save(&self) -> Vec<u8> {
        match self {
            Self::Sha256(hasher) => tagged(SHA256, &hasher.serialize()),
            Self::Sha512(hasher) => tagged(SHA512, &hasher.serialize()),
        }
    }

    /// Returns the hasher that was saved; `None` if another version saved it or the bytes are damaged.
    pub fn restore(saved: &[u8]) -> Option<Self> {
        match saved {
            [FORMAT, SHA256, state @ ..] => deserialize(state).map(Self::Sha256),
            [FORMAT, SHA512, state @ ..] => deserialize(state).map(Self::Sha512),
            _ => None,
        }
    }
}

fn tagged(algorithm: u8, state: &[u8]) -> Vec<u8> {
    [&[FORMAT, algorithm], state].concat()
}

fn deserialize<H: SerializableState>(state: &[u8]) -> Option<H> {
    H::deserialize(SerializedState::<H>::try_from(state).ok().as_ref()?).ok()
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hasher({})", self.algorithm().as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn other_states_are_refused() {
        let saved = Hasher::new(Algorithm::Sha256).save();
        assert!(Hasher::restore(&saved).is_some());
        let with = |at: usize, byte| {
            let mut changed = saved.clone();
            changed[at] = byte;
            changed
        };
        for wrong in [vec![], vec![FORMAT], with(0, 0), with(1, SHA512), with(1, 9), saved[..100].to_vec()] {
            assert!(Hasher::restore(&wrong).is_none(), "{wrong:?}");
        }
    }

    /// Fails when another `sha2` saves another layout: raise `FORMAT` then, and take the new value.
    #[test]
    fn the_saved_layout_is_the_one_that_format_stands_for() {
        let digests = [Algorithm::Sha256, Algorithm::Sha512].map(|algorithm| {
            let mut hasher = Hasher::new(algorithm);
            hasher.update(&[b'x'; 200]);
            let saved = hasher.save();
            (saved.len(), Digest::of(Algorithm::Sha256, &saved).hex())
        });
        assert_eq!(
            digests.map(|(len, hex)| format!("{len} {hex}")),
            [
                "106 24ac6fe4acdcb87790a76ec2bd257fd07b53fd0e4ef42649c70fdbc77864ee54",
                "210 d9a39e0bb16ba719584b5496071dd70746e5c6016ac1902a43f8ed9f54d5d9d8",
            ]
        );
    }

    proptest! {
        #[test]
        fn a_restored_hasher_goes_on(
            bytes in proptest::collection::vec(any::<u8>(), 0..600),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
            long in any::<bool>(),
        ) {
            let algorithm = if long { Algorithm::Sha512 } else { Algorithm::Sha256 };
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut hasher = Hasher::new(algorithm);
            for range in cuts.windows(2) {
                hasher.update(&bytes[range[0]..range[1]]);
                hasher = Hasher::restore(&hasher.save()).unwrap();
            }
            prop_assert_eq!(hasher.finish(), Digest::of(algorithm, &bytes));
        }
    }
}
