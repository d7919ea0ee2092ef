//! What verification finds wrong: at which record, and what was done.

use std::fmt;

/// Something that is wrong with a trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Where: position of a record; 0 where it is of none alone.
    pub position: i64,
    /// What was done.
    pub kind: Kind,
    /// More about it, for a reader.
    pub what: String,
}

/// What was done to a trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A record says something else than it did.
    Altered,
    /// Records are missing.
    Removed,
    /// A record is not where it was.
    Reordered,
    /// The end is missing.
    Truncated,
    /// Something is there that nobody signed, or that nothing stands for.
    Forged,
    /// An erasure did not come to its end.
    Unfinished,
}

impl Kind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Altered => "altered",
            Self::Removed => "removed",
            Self::Reordered => "re-ordered",
            Self::Truncated => "truncated",
            Self::Forged => "forged",
            Self::Unfinished => "erasure unfinished",
        }
    }
}

impl Damage {
    pub(super) fn new(position: i64, kind: Kind, what: impl Into<String>) -> Self {
        Self { position, kind, what: what.into() }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.position > 0 {
            write!(f, "record {}: ", self.position)?;
        }
        write!(f, "{}: {}", self.kind.as_str(), self.what)
    }
}
