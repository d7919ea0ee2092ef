//! Secrets that Berth makes up: random, recognisable by whoever searches leaks for them, and found by their hash.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Random bytes in a secret.
const BYTES: usize = 32;
/// Digits that they take in base 62.
const DIGITS: usize = 43;
/// Digits of the checksum behind them.
const CHECK_DIGITS: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What a secret is for, which its beginning says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretKind {
    /// A robot's: `berth_r_…`.
    Robot,
    /// A user's for one client: `berth_a_…`.
    Application,
    /// A client's, to get tokens with: `berth_t_…`.
    Refresh,
    /// A browser's cookie: `berth_s_…`.
    Session,
    /// A token for the management API: `berth_m_…`.
    Api,
}

impl SecretKind {
    /// How such secrets begin.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Robot => "berth_r_",
            Self::Application => "berth_a_",
            Self::Refresh => "berth_t_",
            Self::Session => "berth_s_",
            Self::Api => "berth_m_",
        }
    }
}

/// A secret, to be shown once and never kept.
#[derive(Clone, PartialEq, Eq)]
pub struct RandomSecret(String);

impl RandomSecret {
    /// Makes one up.
    ///
    /// # Errors
    /// The system's, when it gives no random numbers.
    pub fn generate(kind: SecretKind) -> Result<Self, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self::of(kind, &bytes))
    }

    fn of(kind: SecretKind, bytes: &[u8; BYTES]) -> Self {
        let mut text = kind.prefix().to_owned();
        text.push_str(&base62(bytes, DIGITS));
        let check = base62(&crc32(text.as_bytes()).to_be_bytes(), CHECK_DIGITS);
        Self(text + &check)
    }

    /// Reads what a client gave; `None` unless it has the form of such a secret, its checksum included.
    pub fn parse(kind: SecretKind, given: &[u8]) -> Option<Self> {
        let text = str::from_utf8(given).ok()?;
        let body = text.strip_prefix(kind.prefix())?;
        if body.len() != DIGITS + CHECK_DIGITS || !body.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let (secret, check) = text.split_at(text.len() - CHECK_DIGITS);
        (base62(&crc32(secret.as_bytes()).to_be_bytes(), CHECK_DIGITS) == check)
            .then(|| Self(text.to_owned()))
    }

    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the catalog keeps of it.
    pub fn hash(&self) -> String {
        hash_of(self.0.as_bytes())
    }
}

impl fmt::Debug for RandomSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RandomSecret(..)")
    }
}

/// The SHA-256 of a secret, in hex.
pub(crate) fn hash_of(secret: &[u8]) -> String {
    hex::encode(Sha256::digest(secret))
}

/// Writes a number, its highest byte first, in base 62 with so many digits.
fn base62(number: &[u8], digits: usize) -> String {
    let mut number = number.to_vec();
    let mut text = vec![b'0'; digits];
    for digit in text.iter_mut().rev() {
        let mut rest = 0_usize;
        for byte in &mut number {
            let value = rest << 8 | usize::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            rest = value % 62;
        }
        *digit = ALPHABET[rest];
    }
    text.into_iter().map(char::from).collect()
}

/// The CRC-32 of zip and png.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_zip_and_the_digits_those_of_base_62() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(base62(&[0xff, 0xff], 4), "0H31");
        let most = RandomSecret::of(SecretKind::Robot, &[0xff; BYTES]);
        assert_eq!(most.reveal().len(), 8 + DIGITS + CHECK_DIGITS);
    }

    #[test]
    fn only_whole_secrets_of_their_kind_are_recognised() {
        let secret = RandomSecret::generate(SecretKind::Application).unwrap();
        assert_ne!(secret, RandomSecret::generate(SecretKind::Application).unwrap());
        let text = secret.reveal();
        assert_eq!(RandomSecret::parse(SecretKind::Application, text.as_bytes()), Some(secret.clone()));
        assert_eq!(RandomSecret::parse(SecretKind::Robot, text.as_bytes()), None);
        for wrong in [&text[..text.len() - 1], &format!("{text}0"), &text.to_uppercase(), "berth_a_", ""] {
            assert_eq!(RandomSecret::parse(SecretKind::Application, wrong.as_bytes()), None, "{wrong}");
        }
        let other = if text.as_bytes()[20] == b'x' { "y" } else { "x" };
        let typo = format!("{}{other}{}", &text[..20], &text[21..]);
        assert_eq!(RandomSecret::parse(SecretKind::Application, typo.as_bytes()), None);
        assert!(!format!("{secret:?}").contains(text));
        assert_eq!(secret.hash().len(), 64);
    }
}
