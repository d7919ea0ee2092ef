//! Tags (distribution-spec, "Pull").

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use crate::text::{quoted, serde_as_text};

/// A tag, a readable name that points to a manifest; cheap to clone.
///
/// Its order is byte order, which the specification demands of tag lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

impl Tag {
    /// The longest tag in bytes.
    pub const MAX_BYTES: usize = 128;

    /// Returns the tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = TagError;

    /// Matches `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
    fn from_str(text: &str) -> Result<Self, TagError> {
        let legal = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        match text.as_bytes() {
            [] | [b'.' | b'-', ..] => Err(TagError { tag: quoted(text) }),
            bytes if bytes.len() <= Self::MAX_BYTES && bytes.iter().all(legal) => Ok(Self(text.into())),
            _ => Err(TagError { tag: quoted(text) }),
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for Tag {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Tag {
    fn borrow(&self) -> &str {
        &self.0
    }
}

serde_as_text!(Tag);

/// A text that is not a tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "tag {tag} is invalid: use 1 to 128 letters, digits, '_', '.' or '-', and start with a letter, a digit or '_'"
)]
pub struct TagError {
    tag: String,
}

#[cfg(test)]
mod tests;
