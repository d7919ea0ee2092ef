//! What Berth proves itself with to those who vouch: from a file, or kept in the catalog under a name.

use std::path::Path;

use berth_access::Secrets;

use crate::error::{SettingsError, read_secret};

/// A password or secret of Berth's at another service.
pub(crate) enum Credential {
    /// Read from a file at the start.
    Read(String),
    /// Kept in the catalog: looked up at each use, so that another counts at once and on every node.
    Kept {
        /// Its name there.
        name: String,
        /// Where it is kept; none where a configuration is only checked.
        secrets: Option<Secrets>,
    },
}

impl Credential {
    /// Takes what the configuration says of it: a file or a name, each with its key. `None` if it says nothing.
    pub(crate) fn new(
        part: &str,
        (file_key, file): (&str, Option<&Path>),
        (name_key, name): (&str, Option<&str>),
        secrets: Option<&Secrets>,
    ) -> Result<Option<Self>, SettingsError> {
        match (file, name) {
            (None, None) => Ok(None),
            (Some(file), None) => read_secret(part, file).map(Self::Read).map(Some),
            (None, Some(name)) => {
                Secrets::check_name(name)
                    .map_err(|error| SettingsError::new(part, format!("{name_key}: {error}")))?;
                Ok(Some(Self::Kept { name: name.to_owned(), secrets: secrets.cloned() }))
            }
            (Some(_), Some(_)) => Err(SettingsError::new(
                part,
                format!("{file_key} and {name_key} are both set: keep one of them"),
            )),
        }
    }

    /// Returns it as it is now.
    ///
    /// # Errors
    /// Why there is none, for the log.
    pub(crate) async fn reveal(&self) -> Result<String, String> {
        let (name, secrets) = match self {
            Self::Read(secret) => return Ok(secret.clone()),
            Self::Kept { name, secrets } => (name, secrets),
        };
        let Some(secrets) = secrets else { return Err("there is no catalog here".to_owned()) };
        let found = secrets.reveal(name).await.map_err(|error| error.to_string())?;
        let found = found.ok_or_else(|| {
            format!("the catalog keeps no secret {name:?}: give it with `berth secrets set {name}`")
        })?;
        let text = str::from_utf8(&found).map_err(|_| format!("secret {name:?} is not text"))?;
        Ok(text.to_owned())
    }
}
