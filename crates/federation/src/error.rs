//! Settings that can't be used, files that settings name, and why a login elsewhere came to nothing.

use std::path::Path;

/// The configuration can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("access.{part}: {problem}")]
pub struct SettingsError {
    part: String,
    problem: String,
}

impl SettingsError {
    pub(crate) fn new(part: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { part: part.into(), problem: problem.into() }
    }
}

/// Reads a file that the configuration names.
pub(crate) fn read(part: &str, file: &Path) -> Result<String, SettingsError> {
    std::fs::read_to_string(file)
        .map_err(|error| SettingsError::new(part, format!("{} can't be read: {error}", file.display())))
}

/// Reads a file that holds a secret, without the line's end.
pub(crate) fn read_secret(part: &str, file: &Path) -> Result<String, SettingsError> {
    let text = read(part, file)?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        let problem = format!("{} is empty: it must hold the secret", file.display());
        return Err(SettingsError::new(part, problem));
    }
    Ok(secret.to_owned())
}

/// Why a login at another service came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The answer belongs to no login that was begun in this browser, or to one that was begun too long ago.
    #[error("this login was not begun here, or too long ago: begin again")]
    NotBegun,
    /// The service says that the user may not, or did not want to.
    #[error("the login service refused: {0}")]
    Refused(String),
    /// The user is there, but not one who may log in here.
    #[error("{0}")]
    NotAllowed(String),
    /// The service can't be reached, or answers what it must not. The reason is for the log.
    #[error("the login service can't be used now: try again, or ask the administrator")]
    Unavailable(String),
}

impl LoginError {
    /// What went wrong, for the log.
    pub fn reason(&self) -> String {
        match self {
            Self::Unavailable(reason) => reason.clone(),
            other => other.to_string(),
        }
    }
}
