//! Texts of others.

/// Takes control characters out of a text from elsewhere and cuts it, so that it can be shown and logged.
pub(crate) fn printable(text: &str, most: usize) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(most).collect()
}
