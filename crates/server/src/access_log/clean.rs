//! Text from outside, made fit for a log.

use std::borrow::Cow;
use std::fmt::Write;

/// Replaces control characters and those that reorder or hide text by `\u{…}`.
///
/// JSON escapes the control characters below the space only; a terminal obeys those above 127 as well.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| (b' '..0x7f).contains(&b)) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            // Writing to a String can't fail.
            let _ = write!(cleaned, "{}", c.escape_unicode());
        } else {
            cleaned.push(c);
        }
    }
    Cow::Owned(cleaned)
}

/// The longest beginning of `text` that has at most `bytes` bytes and ends between two characters.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays() {
        assert!(matches!(clean("GET /v2/a\"b\\c"), Cow::Borrowed("GET /v2/a\"b\\c")));
        assert_eq!(clean("镜像"), "镜像");
    }

    #[test]
    fn what_a_terminal_obeys_is_spelled_out() {
        assert_eq!(clean("a\r\n\x1b[2J\u{9b}2J\u{202e}"), "a\\u{d}\\u{a}\\u{1b}[2J\\u{9b}2J\\u{202e}");
    }

    #[test]
    fn cuts_between_characters() {
        assert_eq!(cut("镜像", 4), "镜");
        assert_eq!(cut("abc", 8), "abc");
    }
}
