//! What names a manifest within its repository: a tag or a digest.

use std::{fmt, str::FromStr};

use crate::{Digest, DigestError, Tag, TagError, text::serde_as_text};

/// A tag or a digest (`<tag-or-digest>` of the distribution-spec, "Pull").
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// A name that may move.
    Tag(Tag),
    /// The content itself.
    Digest(Digest),
}

impl Reference {
    /// Returns the tag, if it is one.
    pub fn tag(&self) -> Option<&Tag> {
        match self {
            Self::Tag(tag) => Some(tag),
            Self::Digest(_) => None,
        }
    }

    /// Returns the digest, if it is one.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Tag(_) => None,
            Self::Digest(digest) => Some(digest),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        // A tag has no colon, a digest always has one.
        if text.contains(':') { Ok(Self::Digest(text.parse()?)) } else { Ok(Self::Tag(text.parse()?)) }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

impl From<Tag> for Reference {
    fn from(tag: Tag) -> Self {
        Self::Tag(tag)
    }
}

impl From<Digest> for Reference {
    fn from(digest: Digest) -> Self {
        Self::Digest(digest)
    }
}

serde_as_text!(Reference);

/// Why a text is neither a tag nor a digest; what it looks like decides.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It has no colon and is no tag.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// It has a colon and is no digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_colon_decides() {
        assert!(matches!("latest".parse(), Ok(Reference::Tag(_))));
        let digest = format!("sha256:{}", "0".repeat(64));
        assert!(matches!(digest.parse(), Ok(Reference::Digest(_))));
        assert!(matches!("sha256:baddigeststring".parse::<Reference>(), Err(ReferenceError::Digest(_))));
        assert!(matches!("a/b".parse::<Reference>(), Err(ReferenceError::Tag(_))));
    }

    proptest! {
        #[test]
        fn what_parses_prints_the_same(text in "[a-z]{1,9}|sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}|.*") {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.tag().is_some(), reference.digest().is_none());
                prop_assert_eq!(reference.to_string(), text);
            }
        }
    }
}
