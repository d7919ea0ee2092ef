//! Reads the text of a configuration file; errors say where in it, and what was meant.

use std::borrow::Cow;

use anyhow::anyhow;
use serde_saphyr::{Error, Localizer, Location, Options, SnippetMode, UserMessageFormatter};

use super::Config;
use super::nearest::nearest;
use super::schema::Keys;

/// Reads a configuration file's text. Errors say `name:line:column` and what was meant.
pub(super) fn parse(text: &str, name: &str) -> anyhow::Result<Config> {
    // A file of comments only is an empty document, which YAML calls null.
    serde_saphyr::from_str_with_options::<Option<Config>>(text, options())
        .map(Option::unwrap_or_default)
        .map_err(|error| anyhow!("{name}{}: {}", position(&error), message(&error)))
}

/// Snippets would print the line, which may hold a password. YAML 1.1's `on`, `off`, `yes` and `no` stay words.
pub(super) fn options() -> Options {
    serde_saphyr::options! { with_snippet: false, strict_booleans: true }
}

fn position(error: &Error) -> String {
    error.location().map(|at| format!(":{}:{}", at.line(), at.column())).unwrap_or_default()
}

/// Says what is wrong, without the position.
pub(super) fn message(error: &Error) -> String {
    match error {
        Error::AliasError { error, .. } => message(error),
        Error::SerdeUnknownField { field, expected, .. } => {
            format!("unknown key {field:?}: {}", suggestion(field, expected))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            match nearest(variant, expected.iter().copied()) {
                Some(word) => format!("unknown value {variant:?}: did you mean {word:?}?"),
                None => format!("unknown value {variant:?}: use one of {}", expected.join(", ")),
            }
        }
        other => {
            let formatter = UserMessageFormatter.with_localizer(&WithoutPosition);
            other.render_with_options(serde_saphyr::render_options! {
                formatter: &formatter,
                snippets: SnippetMode::Off,
            })
        }
    }
}

/// Looks for what was meant among the section's keys, then among those of other sections.
fn suggestion(field: &str, siblings: &[&str]) -> String {
    if let Some(key) = nearest(field, siblings.iter().copied()) {
        return format!("did you mean {key:?}?");
    }
    let keys = Keys::new();
    let elsewhere = keys.paths().into_iter().filter(|path| path.last() == Some(&field)).min_by_key(Vec::len);
    match elsewhere {
        Some(path) => format!("did you mean \"{}\"?", path.join(".")),
        None => format!("known here are {}", siblings.join(", ")),
    }
}

/// The position stands in front of our messages already.
struct WithoutPosition;

impl Localizer for WithoutPosition {
    fn attach_location<'a>(&self, base: Cow<'a, str>, _at: Location) -> Cow<'a, str> {
        base
    }
}
