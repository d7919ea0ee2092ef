//! Names that others give to users, and that must be fit for users here.

/// Longest name, in bytes.
const MAX_BYTES: usize = 128;

/// Says what keeps a name from being a user's.
pub(crate) fn problem(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("is empty")
    } else if name.len() > MAX_BYTES {
        Some("is longer than 128 bytes")
    } else if name.contains(':') {
        Some("contains a colon, which ends a name in Basic credentials")
    } else if name.chars().any(char::is_control) {
        Some("contains a control character")
    } else if name.starts_with("robot+") || name.starts_with("robot$") {
        Some("looks like a robot's")
    } else if ["anonymous", "oidc"].contains(&name) {
        Some("has another meaning here")
    } else {
        None
    }
}

/// Takes control characters out of a text from elsewhere and cuts it, so that it can be shown and logged.
pub(crate) fn printable(text: &str, most: usize) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_something_else_are_refused() {
        for name in ["", "a:b", "a\nb", "robot+x", "robot$x", "anonymous", "oidc", &"x".repeat(129)] {
            assert!(problem(name).is_some(), "{name:?}");
        }
        for name in ["alice", "Alice B", "李雷", "o'neil@example.com"] {
            assert_eq!(problem(name), None, "{name:?}");
        }
    }
}
