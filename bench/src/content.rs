//! Content to push: incompressible, made without touching the disk, and different every time.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use sha2::{Digest as _, Sha256};

const BLOCK_BYTES: usize = 4 * 1024 * 1024;
const NONCE_BYTES: u64 = 16;

/// A blob: 16 bytes of its own, then one shared random block over and over.
#[derive(Clone)]
pub(crate) struct Content {
    nonce: [u8; 16],
    block: Arc<Vec<u8>>,
    /// Length in bytes.
    pub(crate) size: u64,
    /// `sha256:…` of the whole.
    pub(crate) digest: String,
}

impl Content {
    /// Makes a blob that no registry has seen.
    pub(crate) fn fresh(size: u64) -> Self {
        let mut nonce = [0; 16];
        fill(&mut nonce);
        let mut content = Self { nonce, block: block(), size, digest: String::new() };
        let mut hasher = Sha256::new();
        let fed = content.write(0..size, |part| {
            hasher.update(part);
            Ok(())
        });
        debug_assert!(fed.is_ok(), "hashing cannot fail");
        content.digest = format!("sha256:{}", hex::encode(hasher.finalize()));
        content
    }

    /// Hands out the bytes of a range in order, in slices that are not copied.
    pub(crate) fn write(
        &self,
        range: Range<u64>,
        mut sink: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut offset = range.start;
        while offset < range.end {
            let source = if offset < NONCE_BYTES {
                &self.nonce[offset as usize..]
            } else {
                &self.block[(offset - NONCE_BYTES) as usize % BLOCK_BYTES..]
            };
            let length = source.len().min((range.end - offset) as usize);
            sink(&source[..length])?;
            offset += length as u64;
        }
        Ok(())
    }

    /// The whole blob in memory, for small ones.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.size as usize);
        let written = self.write(0..self.size, |part| {
            bytes.extend_from_slice(part);
            Ok(())
        });
        debug_assert!(written.is_ok(), "a vector takes every write");
        bytes
    }
}

fn block() -> Arc<Vec<u8>> {
    static BLOCK: OnceLock<Arc<Vec<u8>>> = OnceLock::new();
    Arc::clone(BLOCK.get_or_init(|| {
        let mut bytes = vec![0; BLOCK_BYTES];
        fill(&mut bytes);
        Arc::new(bytes)
    }))
}

/// A number that differs on each call: std's hasher keys come from the system's random source.
pub(crate) fn seed() -> u64 {
    RandomState::new().build_hasher().finish() | 1
}

/// The next state of a xorshift generator: good enough to spread keys and defeat compression.
pub(crate) fn next(mut state: u64) -> u64 {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    state
}

fn fill(bytes: &mut [u8]) {
    let mut state = seed();
    for part in bytes.chunks_mut(8) {
        state = next(state);
        part.copy_from_slice(&state.to_le_bytes()[..part.len()]);
    }
}

/// Media type of the manifests that the benchmark pushes and asks for.
pub(crate) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// Bytes and digest of a manifest that names a configuration and its layers.
pub(crate) fn manifest(config: &Content, layers: &[Content]) -> (Vec<u8>, String) {
    let descriptor = |media_type: &str, content: &Content| {
        format!(r#"{{"mediaType":"{media_type}","digest":"{}","size":{}}}"#, content.digest, content.size)
    };
    let layers: Vec<String> =
        layers.iter().map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar", layer)).collect();
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST_TYPE}","config":{},"layers":[{}]}}"#,
        descriptor("application/vnd.oci.image.config.v1+json", config),
        layers.join(",")
    );
    let digest = digest_of(text.as_bytes());
    (text.into_bytes(), digest)
}

/// `sha256:…` of some bytes.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
