//! Names an upload, for its whole life and afterwards in the location of the blob it became.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Identifies one upload; 32 lower-case hexadecimal digits as text, too random to be guessed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UploadId(Uuid);

impl UploadId {
    /// Returns a new identifier with 122 random bits.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_simple().fmt(f)
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UploadId({self})")
    }
}

/// Says that a text is not an upload's identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an upload id: 32 lower-case hexadecimal digits are expected")]
pub struct InvalidUploadId(String);

impl FromStr for UploadId {
    type Err = InvalidUploadId;

    /// Accepts exactly what `Display` writes, so that one upload has one name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let simple = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match Uuid::try_parse(text) {
            Ok(id) if simple => Ok(Self(id)),
            _ => Err(InvalidUploadId(text.chars().take(64).collect())),
        }
    }
}

impl TryFrom<String> for UploadId {
    type Error = InvalidUploadId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<UploadId> for String {
    fn from(id: UploadId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_only_what_it_writes() {
        let id = UploadId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in [
            "",
            "..",
            "0123456789abcdef0123456789abcde",
            "0123456789ABCDEF0123456789ABCDEF",
            "01234567-89ab-cdef-0123-456789abcdef",
            "{0123456789abcdef0123456789abcdef}",
        ] {
            assert!(wrong.parse::<UploadId>().is_err(), "{wrong}");
        }
    }
}
