//! Reads the keys in a text: one a line, or with commas between.

use crate::error::KeyError;
use crate::key::{Key, Problem};

/// Reads keys, the one that seals first: one a line, or with commas between. What follows a `#` at the beginning of a line is a
/// comment. `from` says where the text came from.
pub fn parse_keys(text: &str, from: &str) -> Result<Vec<Key>, KeyError> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let words = lines.flat_map(|line| line.split(',')).map(str::trim).filter(|word| !word.is_empty());
    let keys = words
        .enumerate()
        .map(|(index, word)| {
            let (from, number) = (from.to_owned(), index + 1);
            Key::parse(word).map_err(|problem| match problem {
                Problem::Malformed => KeyError::Malformed { from, number },
                Problem::Weak => KeyError::Weak { from, number },
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() { Err(KeyError::Empty { from: from.to_owned() }) } else { Ok(keys) }
}
