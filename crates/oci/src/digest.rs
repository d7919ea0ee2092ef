//! Content digests (image-spec, descriptor.md, "Digests").

use std::{fmt, str::FromStr};

use sha2::{Digest as _, Sha256, Sha512};

use crate::text::{quoted, serde_as_text};

/// A registered digest algorithm; both are supported wherever a digest is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, what nearly every client uses.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// Returns the algorithm's identifier, `sha256` or `sha512`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Returns the length of its digests in bytes.
    pub fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        match text {
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            _ => Err(DigestError::UnsupportedAlgorithm { algorithm: quoted(text) }),
        }
    }
}

/// The digest of some content: an algorithm and its hash.
///
/// The order is that of the textual form, so a page "after this digest" means the same here and in SQL.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(Hash);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Hash {
    Sha256([u8; 32]),
    Sha512([u8; 64]),
}

impl Digest {
    /// Computes the digest of content that lies in memory.
    pub fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => Hash::Sha256(Sha256::digest(content).into()),
            Algorithm::Sha512 => Hash::Sha512(Sha512::digest(content).into()),
        })
    }

    /// Wraps a hash computed elsewhere; `None` unless it has the algorithm's length.
    pub fn from_bytes(algorithm: Algorithm, hash: &[u8]) -> Option<Self> {
        Some(Self(match algorithm {
            Algorithm::Sha256 => Hash::Sha256(hash.try_into().ok()?),
            Algorithm::Sha512 => Hash::Sha512(hash.try_into().ok()?),
        }))
    }

    /// Returns the algorithm.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Hash::Sha256(_) => Algorithm::Sha256,
            Hash::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Returns the hash as bytes, 32 or 64 of them.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Hash::Sha256(hash) => hash,
            Hash::Sha512(hash) => hash,
        }
    }

    /// Returns the hash as lower-case hexadecimal digits, without the algorithm.
    pub fn hex(&self) -> String {
        hex::encode(self.as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = self.as_bytes();
        let mut buffer = [0; 128];
        let digits = &mut buffer[..hash.len() * 2];
        hex::encode_to_slice(hash, digits).map_err(|_| fmt::Error)?;
        f.write_str(self.algorithm().as_str())?;
        f.write_str(":")?;
        f.write_str(str::from_utf8(digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    /// Reads `algorithm:hex`, strictly: lower-case digits and exactly as many as the algorithm has.
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let Some((algorithm, digits)) = text.split_once(':') else {
            return Err(DigestError::Malformed { digest: quoted(text) });
        };
        let algorithm: Algorithm = algorithm.parse()?;
        let encoding = || DigestError::Encoding { digest: quoted(text), digits: algorithm.digest_len() * 2 };
        // The decoder also takes upper-case digits; two spellings of one digest would be two keys elsewhere.
        if digits.bytes().any(|digit| digit.is_ascii_uppercase()) {
            return Err(encoding());
        }
        let mut buffer = [0; 64];
        let hash = &mut buffer[..algorithm.digest_len()];
        hex::decode_to_slice(digits, hash).map_err(|_| encoding())?;
        Self::from_bytes(algorithm, hash).ok_or_else(encoding)
    }
}

serde_as_text!(Algorithm, Digest);

/// Why a text is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no colon.
    #[error("digest {digest} is not of the form algorithm:hex, such as sha256: and 64 lower-case hex digits")]
    Malformed {
        /// The value, quoted.
        digest: String,
    },
    /// The algorithm is not one of the registered ones.
    #[error("digest algorithm {algorithm} is not supported, use sha256 or sha512")]
    UnsupportedAlgorithm {
        /// The algorithm, quoted.
        algorithm: String,
    },
    /// The digits are too few, too many, in upper case or no digits at all.
    #[error("digest {digest} is invalid: exactly {digits} lower-case hex digits must follow the colon")]
    Encoding {
        /// The value, quoted.
        digest: String,
        /// Digits that the algorithm needs.
        digits: usize,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EMPTY_JSON: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    #[test]
    fn hashes_known_content() {
        assert_eq!(Digest::of(Algorithm::Sha256, b"{}").to_string(), EMPTY_JSON);
        assert!(Digest::of(Algorithm::Sha512, b"").hex().starts_with("cf83e1357eefb8bd"));
        assert_eq!(Digest::of(Algorithm::Sha512, b"").to_string().len(), "sha512:".len() + 128);
    }

    #[test]
    fn refuses_what_is_not_exactly_a_digest() {
        let upper = EMPTY_JSON.replace("fa", "FA");
        for text in [
            &EMPTY_JSON[..70],
            &format!("{EMPTY_JSON}0"),
            &upper,
            "sha256:",
            "sha256:baddigeststring",
            "sha512:00",
        ] {
            assert!(matches!(text.parse::<Digest>(), Err(DigestError::Encoding { .. })), "{text}");
        }
        for text in ["md5:d41d8cd98f00b204e9800998ecf8427e", ":", "SHA256:00", " sha256:00"] {
            assert!(
                matches!(text.parse::<Digest>(), Err(DigestError::UnsupportedAlgorithm { .. })),
                "{text}"
            );
        }
        assert!(matches!("latest".parse::<Digest>(), Err(DigestError::Malformed { .. })));
    }

    #[test]
    fn errors_say_what_to_do() {
        assert_eq!(
            "sha256:beef".parse::<Digest>().unwrap_err().to_string(),
            r#"digest "sha256:beef" is invalid: exactly 64 lower-case hex digits must follow the colon"#
        );
    }

    #[test]
    fn checks_the_length_of_bytes() {
        assert!(Digest::from_bytes(Algorithm::Sha256, &[0; 64]).is_none());
        assert!(Digest::from_bytes(Algorithm::Sha512, &[0; 32]).is_none());
    }

    fn any_digest() -> impl Strategy<Value = Digest> {
        (any::<bool>(), any::<Vec<u8>>()).prop_map(|(long, content)| {
            Digest::of(if long { Algorithm::Sha512 } else { Algorithm::Sha256 }, &content)
        })
    }

    proptest! {
        #[test]
        fn text_and_bytes_round_trip(digest in any_digest()) {
            prop_assert_eq!(digest.to_string().parse(), Ok(digest));
            prop_assert_eq!(Digest::from_bytes(digest.algorithm(), digest.as_bytes()), Some(digest));
            let json = serde_json::to_string(&digest).unwrap();
            prop_assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        }

        #[test]
        fn order_is_that_of_the_text(a in any_digest(), b in any_digest()) {
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }

        #[test]
        fn what_parses_prints_the_same(text in "(sha(256|512)?:)?[0-9a-fA-F]{0,130}|.*") {
            if let Ok(digest) = text.parse::<Digest>() {
                prop_assert_eq!(digest.to_string(), text);
            }
        }
    }
}
