//! Tokens that others signed: what they say, once somebody has checked who signed them.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::keys::Keys;

/// Largest token that is looked at.
const MAX_BYTES: usize = 32 * 1024;
/// How far clocks may differ.
const LEEWAY_SECONDS: i64 = 30;

/// Why a token proves nothing. Never repeats the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("it is no signed token (JWS)")]
    Malformed,
    #[error("it is signed by {0}, which is not accepted: use RS256, PS256, ES256, ES384 or EdDSA")]
    Algorithm(String),
    #[error("its header asks for {0}, which is not supported")]
    Critical(String),
    #[error("it is signed by a key that its issuer does not show")]
    UnknownKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("it says nothing of {0}")]
    Missing(&'static str),
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet: are the clocks right?")]
    NotYet,
}

/// The header of a token, of which nothing is believed.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    pub(crate) key: Option<String>,
}

/// The fields that matter. What else may be there, such as a key or an address to find one, is what a forger would write.
#[derive(Deserialize)]
struct RawHeader {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

impl Header {
    pub(crate) fn parse(token: &str) -> Result<Self, TokenError> {
        if token.len() > MAX_BYTES {
            return Err(TokenError::Malformed);
        }
        let mut parts = token.split('.');
        let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Malformed);
        };
        let raw: RawHeader = decode(header)?;
        if let Some(critical) = raw.crit {
            // RFC 7515 section 4.1.11: who does not understand one must refuse.
            return Err(TokenError::Critical(crate::name::printable(&critical.to_string(), 60)));
        }
        Ok(Self { algorithm: algorithm(&raw.alg)?, key: raw.kid })
    }
}

/// The algorithms that prove who signed: with a public key, and nothing shorter than SHA-256.
fn algorithm(name: &str) -> Result<Algorithm, TokenError> {
    Ok(match name {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        "EdDSA" => Algorithm::EdDSA,
        other => return Err(TokenError::Algorithm(crate::name::printable(other, 20))),
    })
}

/// Who a token says to be from, before anything is checked: only good to look up whom the configuration trusts.
pub(crate) fn unverified_issuer(token: &str) -> Result<String, TokenError> {
    #[derive(Deserialize)]
    struct Issuer {
        iss: String,
    }
    Header::parse(token)?;
    let payload = token.split('.').nth(1).unwrap_or_default();
    Ok(decode::<Issuer>(payload)?.iss)
}

fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)
}

/// What a token says whose signature was right.
#[derive(Debug, Clone)]
pub(crate) struct Claims(Map<String, Value>);

impl Claims {
    /// Reads a token that one of `keys` signed. When it is good for is for [`Claims::check_times`].
    pub(crate) fn verified(token: &str, keys: &Keys) -> Result<Self, TokenError> {
        let header = Header::parse(token)?;
        let key = keys.find(header.key.as_deref(), header.algorithm).ok_or(TokenError::UnknownKey)?;
        let mut only_the_signature = Validation::new(header.algorithm);
        only_the_signature.validate_exp = false;
        only_the_signature.validate_aud = false;
        only_the_signature.required_spec_claims.clear();
        jsonwebtoken::decode::<Map<String, Value>>(token, key, &only_the_signature)
            .map(|token| Self(token.claims))
            .map_err(|_| TokenError::Signature)
    }

    /// Checks that it is good for now, and returns until when.
    pub(crate) fn check_times(&self, now: Timestamp) -> Result<Timestamp, TokenError> {
        let now = now.as_second();
        let expires = self.seconds("exp").ok_or(TokenError::Missing("its end (exp)"))?;
        if expires <= now - LEEWAY_SECONDS {
            return Err(TokenError::Expired);
        }
        let begins = ["nbf", "iat"].into_iter().filter_map(|claim| self.seconds(claim)).max();
        if begins.is_some_and(|begins| begins > now + LEEWAY_SECONDS) {
            return Err(TokenError::NotYet);
        }
        Timestamp::from_second(expires).map_err(|_| TokenError::Missing("its end (exp)"))
    }

    /// Returns a claim: by its name, or by a JSON pointer if it begins with `/`.
    pub(crate) fn find(&self, claim: &str) -> Option<&Value> {
        match claim.strip_prefix('/') {
            None => self.0.get(claim),
            Some(pointer) => {
                let mut steps = pointer.split('/').map(|step| step.replace("~1", "/").replace("~0", "~"));
                let first = self.0.get(&steps.next()?)?;
                steps.try_fold(first, |value, step| match value {
                    Value::Object(fields) => fields.get(&step),
                    Value::Array(items) => items.get(step.parse::<usize>().ok()?),
                    _ => None,
                })
            }
        }
    }

    /// Returns a claim that is one text.
    pub(crate) fn text(&self, claim: &str) -> Option<&str> {
        self.find(claim)?.as_str()
    }

    /// Returns all that a claim says, as text: of a list, each item.
    pub(crate) fn texts(&self, claim: &str) -> Vec<String> {
        match self.find(claim) {
            Some(Value::Array(items)) => items.iter().filter_map(text).collect(),
            Some(value) => text(value).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// Adds what somebody else says of the same subject, where the token itself is silent.
    pub(crate) fn or(mut self, others: Map<String, Value>) -> Self {
        for (claim, value) in others {
            self.0.entry(claim).or_insert(value);
        }
        self
    }

    fn seconds(&self, claim: &str) -> Option<i64> {
        let value = self.0.get(claim)?;
        // Some write fractions. What does not fit is no time.
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and such a time is refused")]
        value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(bool) => Some(bool.to_string()),
        _ => None,
    }
}
