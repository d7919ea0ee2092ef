//! The keys that an issuer signs with.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// A JWK set as it comes: keys that we don't understand are no reason to lose the others.
#[derive(Debug, Deserialize)]
pub(crate) struct Document {
    keys: Vec<Value>,
}

/// The keys of an issuer that signatures can be checked with.
#[derive(Default)]
pub(crate) struct Keys(Vec<Key>);

struct Key {
    id: Option<String>,
    /// The algorithm that it is for, where it says so.
    algorithm: Option<String>,
    kind: Kind,
    verifying: DecodingKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl Keys {
    /// Takes the public keys for signatures out of a set. Symmetric ones are none.
    pub(crate) fn new(document: &Document) -> Self {
        Self(document.keys.iter().filter_map(Key::new).collect())
    }

    /// Finds the key that may have signed by `algorithm`: the one of this id, or the only one that can if the token names none.
    pub(crate) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let mut fit = self.0.iter().filter(|key| key.fits(algorithm));
        match id {
            Some(id) => fit.find(|key| key.id.as_deref() == Some(id)),
            None => fit.next().filter(|_| fit.next().is_none()),
        }
        .map(|key| &key.verifying)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Key {
    fn new(value: &Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
        if value.get("use").is_some_and(|usage| usage != "sig") {
            return None;
        }
        let kind = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Kind::Rsa,
            AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
                EllipticCurve::P256 => Kind::P256,
                EllipticCurve::P384 => Kind::P384,
                _ => return None,
            },
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => Kind::Ed25519,
            _ => return None,
        };
        let algorithm = value.get("alg").and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            id: jwk.common.key_id.clone(),
            algorithm,
            kind,
            verifying: DecodingKey::from_jwk(&jwk).ok()?,
        })
    }

    /// A key is for one kind of signature, whatever the token says: that confuses no algorithms.
    fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        let kind = match algorithm {
            RS256 | RS384 | RS512 | PS256 | PS384 | PS512 => Kind::Rsa,
            ES256 => Kind::P256,
            ES384 => Kind::P384,
            EdDSA => Kind::Ed25519,
            _ => return false,
        };
        kind == self.kind && self.algorithm.as_deref().is_none_or(|name| name == format!("{algorithm:?}"))
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| (&key.id, key.kind))).finish()
    }
}
