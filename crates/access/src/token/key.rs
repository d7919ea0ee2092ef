//! One pair of keys that tokens are signed and verified with: made, sealed by the vault, opened again.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use berth_vault::{Vault, context};
use jiff::Timestamp;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};

use super::error::TokenError;

/// The only algorithm: P-256 with SHA-256.
pub(super) const ALGORITHM: Algorithm = Algorithm::ES256;

/// A pair of keys, opened.
pub(super) struct Pair {
    /// What names it: the hash of its public half (RFC 7638), so no two keys share a name.
    pub(super) kid: String,
    pub(super) signing: EncodingKey,
    pub(super) verifying: DecodingKey,
    pub(super) public: Jwk,
    pub(super) made_at: Timestamp,
    /// From when on it verifies nothing.
    pub(super) gone_at: Option<Timestamp>,
}

/// A new pair, as the catalog keeps it.
#[derive(Clone)]
pub(super) struct NewPair {
    pub(super) kid: String,
    pub(super) sealed: Vec<u8>,
    pub(super) public: String,
}

impl NewPair {
    pub(super) fn generate(vault: &Vault) -> Result<Self, TokenError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(|_| TokenError::Key("could not be made"))?;
        let private = document.as_ref();
        let public = public(&EncodingKey::from_ec_der(private))?;
        let kid = public.common.key_id.clone().unwrap_or_default();
        let sealed = vault.seal(&context::signing_key(&kid), private)?;
        let public = serde_json::to_string(&public).map_err(|_| TokenError::Key("can't be written"))?;
        Ok(Self { kid, sealed, public })
    }
}

impl Pair {
    /// Opens a pair that the catalog keeps. The public half is taken from the private one: the vault vouches for that, while anybody
    /// who can write to the catalog could put a key of their own beside it.
    pub(super) fn open(
        vault: &Vault,
        row: &berth_catalog::signing_key::SigningKey,
    ) -> Result<Self, TokenError> {
        let private = vault.open(&context::signing_key(&row.kid), &row.sealed)?;
        let signing = EncodingKey::from_ec_der(&private);
        let public = public(&signing)?;
        if public.common.key_id.as_deref() != Some(row.kid.as_str()) {
            return Err(TokenError::Key("is not the one that its name says"));
        }
        let verifying = DecodingKey::from_jwk(&public).map_err(|_| TokenError::Key("can't be used"))?;
        Ok(Self {
            kid: row.kid.clone(),
            signing,
            verifying,
            public,
            made_at: row.created_at,
            gone_at: row.gone_at,
        })
    }
}

fn public(signing: &EncodingKey) -> Result<Jwk, TokenError> {
    let unusable = |_| TokenError::Key("can't be used");
    let mut public = Jwk::from_encoding_key(signing, ALGORITHM).map_err(unusable)?;
    public.common.public_key_use = Some(PublicKeyUse::Signature);
    public.common.key_id = Some(public.thumbprint(ThumbprintHash::SHA256).map_err(unusable)?);
    Ok(public)
}
