//! Argon2id hashes of passwords as PHC strings: read, kept within sane parameters, made and verified.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use argon2::{ARGON2ID_IDENT, Argon2, Params, PasswordHasher as _, PasswordVerifier as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

// More is a typing error that would take the server down at a login.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 100;

/// An argon2id hash of a password as a PHC string: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = r"^\$argon2id\$"))]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Returns the PHC string.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Stands for the hash where it has to be told whether it is still the same. It tells nothing about the password to who does not know
    /// the hash, salt and all.
    pub(crate) fn fingerprint(&self) -> Arc<str> {
        hex::encode(&Sha256::digest(&self.0)[..16]).into()
    }

    pub(crate) fn parsed(&self) -> Result<argon2::PasswordHash, PasswordHashError> {
        parse(&self.0)
    }
}

impl FromStr for PasswordHash {
    type Err = PasswordHashError;

    fn from_str(text: &str) -> Result<Self, PasswordHashError> {
        parse(text).map(|_| Self(text.to_owned()))
    }
}

impl TryFrom<String> for PasswordHash {
    type Error = PasswordHashError;

    fn try_from(text: String) -> Result<Self, PasswordHashError> {
        parse(&text).map(|_| Self(text))
    }
}

impl From<PasswordHash> for String {
    fn from(hash: PasswordHash) -> Self {
        hash.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// Why a text isn't a password hash. Never repeats the text: it may be the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordHashError {
    /// Not a PHC string at all, so likely the password itself.
    #[error(
        "password is not a hash, and plain-text passwords are refused; run `berth passwd` and paste what it prints"
    )]
    NotHashed,
    /// Another algorithm, an unusable parameter, or a damaged string.
    #[error("password hash not usable: {0}; run `berth passwd` and paste what it prints")]
    Unusable(&'static str),
}

fn parse(text: &str) -> Result<argon2::PasswordHash, PasswordHashError> {
    if !text.starts_with('$') {
        return Err(PasswordHashError::NotHashed);
    }
    let hash =
        argon2::PasswordHash::new(text).map_err(|_| PasswordHashError::Unusable("damaged PHC string"))?;
    if hash.algorithm != ARGON2ID_IDENT {
        return Err(PasswordHashError::Unusable("algorithm is not argon2id"));
    }
    if hash.salt.is_none() || hash.hash.is_none() {
        return Err(PasswordHashError::Unusable("salt or hash missing"));
    }
    let params = Params::try_from(&hash).map_err(|_| PasswordHashError::Unusable("unknown parameters"))?;
    if params.m_cost() > MAX_MEMORY_KIB || params.t_cost() > MAX_PASSES {
        return Err(PasswordHashError::Unusable("asks for more than 1 GiB or 100 passes"));
    }
    Ok(hash)
}

/// A password could not be hashed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Whoever may come in without a password should come in as anonymous.
    #[error("password is empty; give at least one character")]
    Empty,
    /// The system's random numbers or memory ran out.
    #[error("password could not be hashed: {0}")]
    Failed(argon2::password_hash::Error),
}

/// Hashes a password with argon2id (19 MiB, 2 passes, 1 lane, as OWASP recommends) and a random salt.
pub fn hash_password(password: &str) -> Result<PasswordHash, HashError> {
    if password.is_empty() {
        return Err(HashError::Empty);
    }
    hash_bytes(password.as_bytes())
}

/// Does the same with a password as a client sent it.
pub(crate) fn hash_bytes(password: &[u8]) -> Result<PasswordHash, HashError> {
    let hash = Argon2::default().hash_password(password).map_err(HashError::Failed)?;
    Ok(PasswordHash(hash.to_string()))
}

/// Tells whether a password matches. Takes milliseconds of CPU and the hash's memory; never call it on a runtime thread.
pub(crate) fn verify(password: &[u8], hash: &argon2::PasswordHash) -> bool {
    Argon2::default().verify_password(password, hash).is_ok()
}
