//! Helps tests, here and in other rooms: a store that fails on demand and the suite that every store passes.

mod conformance;
mod faults;
mod faulty;

pub use conformance::conformance;
pub use faults::{Failure, Fault, Faults, Operation};
pub use faulty::Faulty;

use crate::UploadId;

/// Returns bytes that look random and are the same for the same upload, the same prefix for every length.
pub fn content(upload: &UploadId, len: usize) -> Vec<u8> {
    let seed = upload.to_string().bytes().fold(1, |seed: u64, byte| seed.wrapping_mul(31) + u64::from(byte));
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
