//! The keys that checkpoints and archives are signed with: kept in the catalog, sealed by the vault.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_catalog::{Catalog, secret};
use berth_vault::{Vault, Zeroizing, context};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};

/// The secret that holds the keys.
const SECRET: &str = secret::AUDIT_SIGNING_KEYS;
/// Bytes of a public key.
const PUBLIC_BYTES: usize = 32;

/// The keys that checkpoints and archives are signed with (Ed25519): the last one signs, all verify. Cheap to clone.
#[derive(Clone)]
pub struct SigningKeys(Arc<Vec<Pair>>);

struct Pair {
    public: PublicKey,
    pair: Ed25519KeyPair,
}

/// How a key lies in the secret.
#[derive(Serialize, Deserialize)]
struct Kept {
    pkcs8: String,
}

impl SigningKeys {
    /// Reads the keys that are kept in the catalog under the vault, and makes the first one.
    pub async fn open(catalog: &Catalog, vault: &Vault) -> Result<Self> {
        if let Some(keys) = Self::find(catalog, vault).await? {
            return Ok(keys);
        }
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| Error::Key("none could be made".to_owned()))?;
        let kept = vec![Kept { pkcs8: STANDARD.encode(pkcs8.as_ref()) }];
        let text = serde_json::to_vec(&kept).map(Zeroizing::new);
        let text = text.map_err(|error| Error::Key(error.to_string()))?;
        let sealed = vault.seal(&context::secret(SECRET), &text)?;
        let now = catalog.clock().now();
        let made = catalog
            .write(async move |tx| {
                // Another node may have been first.
                if secret::find(tx, SECRET).await?.is_none() {
                    secret::set(tx, SECRET, &sealed, now).await?;
                }
                Ok::<_, berth_catalog::Error>(())
            })
            .await;
        match made {
            Ok(()) => {}
            // Nothing is kept there any more: what this process signs counts for as long as it runs.
            Err(berth_catalog::Error::Moved) => {
                return Ok(Self(Arc::new(kept.iter().map(Kept::pair).collect::<Result<_>>()?)));
            }
            Err(error) => return Err(error.into()),
        }
        Self::find(catalog, vault).await?.ok_or_else(|| Error::Key("it is gone again".to_owned()))
    }

    /// Reads the keys that are kept in the catalog under the vault, if there are any.
    pub async fn find(catalog: &Catalog, vault: &Vault) -> Result<Option<Self>> {
        let Some(sealed) = catalog.read(async |r| secret::find(r, SECRET).await).await? else {
            return Ok(None);
        };
        let text = vault.open(&context::secret(SECRET), &sealed)?;
        let kept: Vec<Kept> = serde_json::from_slice(&text).map_err(|error| Error::Key(error.to_string()))?;
        let pairs = kept.iter().map(Kept::pair).collect::<Result<Vec<_>>>()?;
        if pairs.is_empty() {
            Err(Error::Key("there is none".to_owned()))
        } else {
            Ok(Some(Self(Arc::new(pairs))))
        }
    }

    /// Returns the public keys, the one that signs last.
    pub fn public(&self) -> Vec<PublicKey> {
        self.0.iter().map(|pair| pair.public).collect()
    }

    /// Signs. `None` only if there is no key.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<(PublicKey, Vec<u8>)> {
        let pair = self.0.last()?;
        Some((pair.public, pair.pair.sign(message).as_ref().to_vec()))
    }
}

impl Kept {
    fn pair(&self) -> Result<Pair> {
        let unusable = || Error::Key("what is kept is no key".to_owned());
        let bytes = STANDARD.decode(&self.pkcs8).map(Zeroizing::new).map_err(|_| unusable())?;
        let pair = Ed25519KeyPair::from_pkcs8(&bytes).map_err(|_| unusable())?;
        let public = pair.public_key().as_ref().try_into().map(PublicKey).map_err(|_| unusable())?;
        Ok(Pair { public, pair })
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.public()).finish()
    }
}

/// What signatures are verified with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; PUBLIC_BYTES]);

impl PublicKey {
    /// Returns what names the key: the first bytes of its hash.
    pub fn kid(&self) -> String {
        hex::encode(&Sha256::digest(self.0)[..8])
    }

    /// Tells whether the holder of the key signed the message.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}

impl std::str::FromStr for PublicKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| "not base64 of an Ed25519 public key")?;
        bytes.try_into().map(Self).map_err(|_| "not the 32 bytes of an Ed25519 public key")
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.kid())
    }
}
