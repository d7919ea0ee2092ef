//! Why a secret could not be sealed or opened, and why keys can't be used.

use std::path::PathBuf;

use crate::key::KeyId;

/// A secret could not be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no key at all.
    #[error("no key to seal secrets under")]
    NoKey,
    /// It was sealed under a key that is not here.
    #[error(
        "sealed under key {0}, which is not among the keys here: add it to what secrets.key_file, secrets.key_command or \
         BERTH_SECRETS_KEY gives"
    )]
    UnknownKey(KeyId),
    /// It is not what was sealed, or not for this place.
    #[error("sealed secret is damaged, or was put where it does not belong")]
    Damaged,
    /// It is in no form that this version knows.
    #[error("sealed secret has an unknown form: run the newer berth")]
    UnknownForm,
    /// The cipher refused: the secret is larger than it can take.
    #[error("secret could not be sealed")]
    Unsealable,
}

/// The keys are not there, or can't be used. Never repeats a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Nothing but blanks and comments.
    #[error("{from} holds no key: put one there, `openssl rand -base64 32` makes it")]
    Empty {
        /// Where keys were looked for.
        from: String,
    },
    /// A key is not 32 bytes.
    #[error(
        "{from}, key {number}: is no key of 32 bytes in base64 or hexadecimal; `openssl rand -base64 32` makes one"
    )]
    Malformed {
        /// Where it was found.
        from: String,
        /// Which one it is, from 1.
        number: usize,
    },
    /// A key is 32 bytes that nobody would get by chance.
    #[error("{from}, key {number}: is not random; `openssl rand -base64 32` makes one that is")]
    Weak {
        /// Where it was found.
        from: String,
        /// Which one it is, from 1.
        number: usize,
    },
    /// The configuration names several places.
    #[error("keys come from {0} and {1}: leave one of them")]
    Several(&'static str, &'static str),
    /// The file can't be read.
    #[error("secrets.key_file {} can't be read: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The command gave no keys.
    #[error("secrets.key_command {program:?} {problem}")]
    Command {
        /// The program.
        program: String,
        /// What it did instead.
        problem: String,
    },
    /// The system gave no random numbers.
    #[error("no random numbers from the system: {0}")]
    Random(String),
}
