//! Patterns of resources with `*` and `**`: read, bounded in what matching costs, and matched.

use std::fmt;
use std::sync::Arc;

use crate::part;
use crate::resource::is_project;

const MAX_BYTES: usize = 512;
const MAX_SEGMENTS: usize = 32;
/// Each may take any number of segments, so the work grows with their number as an exponent.
const MAX_DEEP: usize = 2;
const MAX_STARS: usize = 4;

/// Which resources a policy is about. A pattern covers what it matches and everything below it: `*` matches within one segment,
/// `**` any number of segments, also none.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    text: Arc<str>,
    segments: Box<[Segment]>,
}

#[derive(Debug, Clone)]
enum Segment {
    /// `**`
    Deep,
    /// `*`
    Any,
    Literal(Box<str>),
    /// What stands before, between and behind stars: at least two pieces.
    Pieces(Box<[Box<str>]>),
}

/// A pattern that could cover nothing, or that costs too much to match.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pattern {pattern:?} {problem}")]
pub struct PatternError {
    pattern: String,
    problem: &'static str,
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Self, PatternError> {
        let wrong = |problem| PatternError { pattern: text.chars().take(MAX_BYTES / 4).collect(), problem };
        if text.len() > MAX_BYTES {
            return Err(wrong("is longer than 512 bytes"));
        }
        if text.chars().any(|char| char.is_control() || char.is_whitespace()) {
            return Err(wrong("contains a space or a control character"));
        }
        if text.contains(['?', '[', ']', '{', '}', '!', '\\']) {
            return Err(wrong("has a sign that means nothing here: there are only * and **"));
        }
        let parts: Vec<&str> = text.split('/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(wrong("has an empty segment: write no slash at its ends, and no two together"));
        }
        if parts.len() > MAX_SEGMENTS {
            return Err(wrong("has more than 32 segments"));
        }
        if parts.iter().filter(|part| **part == "**").count() > MAX_DEEP {
            return Err(wrong("has ** more than twice"));
        }
        let stars = |part: &str| part.bytes().filter(|byte| *byte == b'*').count();
        if parts.iter().any(|part| *part != "**" && (part.contains("**") || stars(part) > MAX_STARS)) {
            return Err(wrong("has a segment with more than four stars, or with ** beside other signs"));
        }
        match (parts[0], parts.get(2)) {
            ("system" | "*" | "**", _) | ("project", None) => {}
            ("project", Some(third)) if third.contains('*') || *third == "repository" || parts[1] == "**" => {
            }
            ("project", _) => {
                return Err(wrong("names what no project has: write project/NAME/repository/PATH"));
            }
            _ => return Err(wrong("begins with neither system/ nor project/")),
        }
        let segments = parts.into_iter().map(Segment::parse).collect();
        Ok(Self { text: text.into(), segments })
    }

    /// Tells whether it matches a resource of this path, or one above.
    pub(crate) fn covers(&self, path: &[&str]) -> bool {
        covers(&self.segments, path)
    }

    /// Sees that there can be what it names: parts of the system, projects. What was kept is not asked again: a newer node may know more
    /// parts.
    pub(crate) fn names_something(&self) -> Result<(), PatternError> {
        let wrong = |problem| PatternError { pattern: self.text.to_string(), problem };
        let segments: Vec<_> = self.segments.iter().map(Segment::literal).collect();
        match segments[..] {
            [Some("system"), Some(part), ..] if !part::ALL.contains(&part) => Err(wrong(
                "names no part of the system: those are configuration, jobs, users, access, projects, audit",
            )),
            [Some("project"), Some(name), ..] if !is_project(name) => {
                Err(wrong("names what no project can be called: names are in small letters"))
            }
            [Some("system"), _, _, ..] if !matches!(self.segments[2], Segment::Deep) => {
                Err(wrong("names something below a part of the system, where nothing is"))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn text(&self) -> &Arc<str> {
        &self.text
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn covers(segments: &[Segment], path: &[&str]) -> bool {
    match segments.split_first() {
        // What is left of the path lies below.
        None => true,
        Some((Segment::Deep, rest)) => (0..=path.len()).any(|skipped| covers(rest, &path[skipped..])),
        Some((segment, rest)) => {
            path.split_first().is_some_and(|(first, below)| segment.matches(first) && covers(rest, below))
        }
    }
}

impl Segment {
    fn parse(text: &str) -> Self {
        match text {
            "**" => Self::Deep,
            "*" => Self::Any,
            _ if text.contains('*') => Self::Pieces(text.split('*').map(Into::into).collect()),
            _ => Self::Literal(text.into()),
        }
    }

    fn literal(&self) -> Option<&str> {
        match self {
            Self::Literal(text) => Some(text),
            _ => None,
        }
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Deep | Self::Any => true,
            Self::Literal(literal) => **literal == *text,
            Self::Pieces(pieces) => match &**pieces {
                [first, middle @ .., last] => text
                    .strip_prefix(&**first)
                    .and_then(|rest| rest.strip_suffix(&**last))
                    .is_some_and(|rest| in_order(middle, rest)),
                _ => false,
            },
        }
    }
}

/// Tells whether the pieces stand in the text one behind the other. The first place of each leaves most for the next.
fn in_order(pieces: &[Box<str>], mut text: &str) -> bool {
    pieces.iter().all(|piece| match text.split_once(&**piece) {
        Some((_, rest)) => {
            text = rest;
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests;
