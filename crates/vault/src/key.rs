//! A key that secrets are sealed under: made or read from text, named by its hash, wiped when it goes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::KeyError;

/// Bytes of a key: AES-256.
const KEY_BYTES: usize = 32;
/// Random keys have fewer different bytes about once in 10^40.
const DIFFERENT_BYTES: usize = 10;

/// A key that secrets are sealed under. `Debug` shows its id only, and its bytes are wiped when it goes.
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    material: Zeroizing<[u8; KEY_BYTES]>,
}

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    Malformed,
    Weak,
}

impl Key {
    /// Makes a key of the system's random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        let mut material = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut *material).map_err(|error| KeyError::Random(error.to_string()))?;
        Ok(Self::of(material))
    }

    /// Takes a key's bytes, as [`Key::material`] gave them; `None` unless they are 32.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let material: [u8; KEY_BYTES] = bytes.try_into().ok()?;
        Some(Self::of(Zeroizing::new(material)))
    }

    /// Reads 32 bytes in base64, of either alphabet, or in hexadecimal.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let mut bytes = decode(text).ok_or(Problem::Malformed)?;
        let key = Self::from_bytes(&bytes).ok_or(Problem::Malformed);
        let mut seen = [false; 256];
        for byte in bytes.iter() {
            seen[usize::from(*byte)] = true;
        }
        bytes.zeroize();
        let different = seen.iter().filter(|seen| **seen).count();
        key.and_then(|key| if different < DIFFERENT_BYTES { Err(Problem::Weak) } else { Ok(key) })
    }

    fn of(material: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let hash = Sha256::new().chain_update(b"berth vault key\0").chain_update(*material).finalize();
        let mut id = [0; KeyId::BYTES];
        id.copy_from_slice(&hash[..KeyId::BYTES]);
        Self { id: KeyId(id), material }
    }

    /// Returns what names the key and says nothing about it.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Returns the key's bytes.
    pub fn material(&self) -> &[u8] {
        &*self.material
    }
}

fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let decoded = if text.len() == 2 * KEY_BYTES {
        hex::decode(text).ok()
    } else {
        STANDARD
            .decode(text)
            .or_else(|_| STANDARD_NO_PAD.decode(text))
            .or_else(|_| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')))
            .ok()
    };
    decoded.map(Zeroizing::new)
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

/// Names a key: the first bytes of a hash of it, in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub(crate) [u8; Self::BYTES]);

impl KeyId {
    pub(crate) const BYTES: usize = 8;
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
