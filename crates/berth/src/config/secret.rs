//! Secrets that lie in files of their own.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

/// Reads a file that holds a secret, without the line's end.
pub(crate) fn read(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{} can't be read: it must hold the secret", file.display()))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    ensure!(!secret.is_empty(), "{} is empty: it must hold the secret", file.display());
    Ok(secret.to_owned())
}
