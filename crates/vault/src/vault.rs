//! Seals secrets and opens them: AES-256-GCM, each bound to its key and to the place that it belongs to.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::key::{Key, KeyId};

/// The form of what is sealed: this byte, the key's id, a random nonce, and AES-256-GCM's output.
const FORM: u8 = 1;
const HEADER: usize = 1 + KeyId::BYTES;

/// Seals secrets and opens them. Cheap to clone; clones share the keys.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    /// Whether the operator keeps the keys, and not the catalog.
    configured: bool,
    own: Vec<Arc<Opener>>,
    keys: ArcSwap<Vec<Arc<Opener>>>,
}

struct Opener {
    id: KeyId,
    cipher: RandomizedNonceKey,
}

impl Vault {
    /// A vault with the operator's keys, if there are any, and those that were made and kept in the catalog. Of either, the first seals.
    pub fn new(configured: &[Key], generated: &[Key]) -> Result<Self, Error> {
        let own = configured.iter().map(Opener::new).collect::<Result<Vec<_>, _>>()?;
        let vault = Self(Arc::new(Inner {
            configured: !own.is_empty(),
            keys: ArcSwap::from_pointee(own.clone()),
            own,
        }));
        vault.learn(generated)?;
        vault.current().map(|_| vault)
    }

    /// Takes in the keys that are now kept in the catalog, the one that seals first.
    pub fn learn(&self, generated: &[Key]) -> Result<(), Error> {
        let mut keys = self.0.own.clone();
        for key in generated {
            if !keys.iter().any(|known| known.id == key.id()) {
                keys.push(Opener::new(key)?);
            }
        }
        self.0.keys.store(Arc::new(keys));
        Ok(())
    }

    /// Tells whether the operator keeps the key that seals, and not the catalog.
    pub fn is_configured(&self) -> bool {
        self.0.configured
    }

    /// Returns the id of the key that seals.
    pub fn current(&self) -> Result<KeyId, Error> {
        self.0.keys.load().first().map(|key| key.id).ok_or(Error::NoKey)
    }

    /// Returns the ids of all keys, the one that seals first.
    pub fn key_ids(&self) -> Vec<KeyId> {
        self.0.keys.load().iter().map(|key| key.id).collect()
    }

    /// Tells whether something is sealed under the key that seals now.
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        self.current().is_ok_and(|id| key_of(sealed) == Ok(id))
    }

    /// Seals a secret for a [`context`](crate::context).
    pub fn seal(&self, context: &str, secret: &[u8]) -> Result<Vec<u8>, Error> {
        let keys = self.0.keys.load();
        let key = keys.first().ok_or(Error::NoKey)?;
        // Sealed in place, so no copy of the secret stays behind.
        let mut text = Zeroizing::new(Vec::with_capacity(secret.len() + AES_256_GCM.tag_len()));
        text.extend_from_slice(secret);
        let nonce = key
            .cipher
            .seal_in_place_append_tag(aad(context, key.id), &mut *text)
            .map_err(|_| Error::Unsealable)?;
        let mut sealed = Vec::with_capacity(HEADER + NONCE_LEN + text.len());
        sealed.push(FORM);
        sealed.extend_from_slice(&key.id.0);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&text);
        Ok(sealed)
    }

    /// Opens what was sealed for a [`context`](crate::context).
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let id = key_of(sealed)?;
        let keys = self.0.keys.load();
        let key = keys.iter().find(|key| key.id == id).ok_or(Error::UnknownKey(id))?;
        let (nonce, text) = sealed[HEADER..].split_at_checked(NONCE_LEN).ok_or(Error::Damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Error::Damaged)?;
        let mut text = Zeroizing::new(text.to_vec());
        let length =
            key.cipher.open_in_place(nonce, aad(context, id), &mut text).map_err(|_| Error::Damaged)?.len();
        text.truncate(length);
        Ok(text)
    }
}

impl Opener {
    fn new(key: &Key) -> Result<Arc<Self>, Error> {
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, key.material()).map_err(|_| Error::NoKey)?;
        Ok(Arc::new(Self { id: key.id(), cipher }))
    }
}

/// Returns the id of the key that something is sealed under.
fn key_of(sealed: &[u8]) -> Result<KeyId, Error> {
    let (header, _) = sealed.split_at_checked(HEADER).ok_or(Error::Damaged)?;
    if header[0] != FORM {
        return Err(Error::UnknownForm);
    }
    let mut id = [0; KeyId::BYTES];
    id.copy_from_slice(&header[1..]);
    Ok(KeyId(id))
}

/// What the seal vouches for beside the secret: the form, the key and the place.
fn aad(context: &str, id: KeyId) -> Aad<Vec<u8>> {
    let mut bytes = vec![FORM];
    bytes.extend_from_slice(&id.0);
    bytes.extend_from_slice(context.as_bytes());
    Aad::from(bytes)
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("keys", &self.key_ids()).finish_non_exhaustive()
    }
}
