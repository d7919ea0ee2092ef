//! Repository names (distribution-spec, "Pull").

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use crate::text::{quoted, serde_as_text};

/// The name of a repository, such as `library/nginx`; cheap to clone.
///
/// Its order is byte order, which the specification demands of listings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryName(Arc<str>);

impl RepositoryName {
    /// The longest name in bytes, separators included.
    pub const MAX_BYTES: usize = 255;

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RepositoryName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > Self::MAX_BYTES {
            return Err(NameError::TooLong { name: quoted(text), length: text.len() });
        }
        if !text.split('/').all(is_component) {
            return Err(NameError::Grammar { name: quoted(text) });
        }
        Ok(Self(text.into()))
    }
}

/// Matches `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_component(text: &str) -> bool {
    let mut rest = text.as_bytes();
    loop {
        let word = rest.iter().take_while(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()).count();
        if word == 0 {
            return false;
        }
        rest = &rest[word..];
        let separator = match rest {
            [] => return true,
            [b'_', b'_', ..] => 2,
            [b'_' | b'.', ..] => 1,
            [b'-', ..] => rest.iter().take_while(|byte| **byte == b'-').count(),
            _ => return false,
        };
        rest = &rest[separator..];
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for RepositoryName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for RepositoryName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

serde_as_text!(RepositoryName);

/// Why a text is not a repository name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It has more than [`RepositoryName::MAX_BYTES`].
    #[error("repository name {name} has {length} bytes, at most 255 are allowed")]
    TooLong {
        /// The name, quoted.
        name: String,
        /// Its length in bytes.
        length: usize,
    },
    /// It doesn't match the specification's grammar.
    #[error(
        "repository name {name} is invalid: use lower-case letters and digits, joined by '.', '_', '__' or dashes, \
         in components separated by '/'"
    )]
    Grammar {
        /// The name, quoted.
        name: String,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accepts_the_grammar() {
        for name in ["a", "0", "library/nginx", "a.b_c__d-e----f/9/x", "blobs/uploads", &"a".repeat(255)] {
            assert_eq!(name.parse::<RepositoryName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn refuses_the_rest() {
        let bad = [
            "", "/", "a/", "/a", "a//b", "A", "a..b", "a.", ".a", "..", "a/../b", "a___b", "a_-b", "-a",
            "a-", "a._b", "a b", "a%2Fb", "ä", "a\0", "a:b", "a@b",
        ];
        for name in bad {
            assert!(matches!(name.parse::<RepositoryName>(), Err(NameError::Grammar { .. })), "{name:?}");
        }
        let long = "a".repeat(256).parse::<RepositoryName>().unwrap_err();
        assert!(long.to_string().ends_with("has 256 bytes, at most 255 are allowed"), "{long}");
    }

    proptest! {
        #[test]
        fn every_name_of_the_grammar_round_trips(
            name in "[a-z0-9]{1,3}((\\.|_|__|-{1,3})[a-z0-9]{1,3}){0,3}(/[a-z0-9]{1,3}((\\.|_|__|-{1,3})[a-z0-9]{1,3}){0,3}){0,5}"
        ) {
            let parsed: RepositoryName = name.parse().unwrap();
            prop_assert_eq!(parsed.to_string(), name.clone());
            let json = serde_json::to_string(&parsed).unwrap();
            prop_assert_eq!(serde_json::from_str::<RepositoryName>(&json).unwrap(), parsed);
        }

        #[test]
        fn what_parses_has_no_surprises(text in "[a-z0-9./_-]{0,12}|.*") {
            if let Ok(name) = text.parse::<RepositoryName>() {
                prop_assert_eq!(name.as_str(), &text);
                let alphanumeric = |c: char| c.is_ascii_alphanumeric();
                let framed = text.split('/').all(|part| part.starts_with(alphanumeric) && part.ends_with(alphanumeric));
                prop_assert!(framed);
                prop_assert!(!text.contains("..") && !text.contains("___"));
            }
        }
    }
}
