//! Says where a published blob lies.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Names the place of one published blob; opaque to callers, unique for ever: each publication gets its own,
/// even of content that the store already holds.
///
/// A text from the catalog becomes one without checks; a store refuses locations that it can't have issued.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Location(String);

impl Location {
    /// Returns the text to keep in the catalog.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Location {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Location {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<Location> for String {
    fn from(location: Location) -> Self {
        location.0
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
