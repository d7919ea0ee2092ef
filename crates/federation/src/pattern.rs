//! Patterns for the values of claims.

/// Tells whether `text` is what `pattern` describes: `*` stands for any characters but `/`, `**` for any. Nothing else is special, so
/// that a value may be copied from a token as it is.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where to go on if what follows the last star of each kind does not fit: behind it in the pattern, one further in the text.
    let mut short: Option<(usize, usize)> = None;
    let mut long: Option<(usize, usize)> = None;
    loop {
        if pattern[p..].starts_with(b"**") {
            p += 2;
            long = Some((p, t));
            short = None;
            continue;
        }
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            short = Some((p, t));
            continue;
        }
        match (pattern.get(p), text.get(t)) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted == given => {
                p += 1;
                t += 1;
                continue;
            }
            _ => {}
        }
        if let Some((behind, at)) = short
            && text.get(at).is_some_and(|byte| *byte != b'/')
        {
            short = Some((behind, at + 1));
            (p, t) = (behind, at + 1);
        } else if let Some((behind, at)) = long
            && at < text.len()
        {
            long = Some((behind, at + 1));
            short = None;
            (p, t) = (behind, at + 1);
        } else {
            return false;
        }
    }
}

#[cfg(test)]
mod tests;
