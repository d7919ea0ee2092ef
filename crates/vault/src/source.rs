//! Keys from where the configuration says.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::error::KeyError;
use crate::key::Key;
use crate::keys::parse_keys;

/// The environment's variable that may hold keys.
pub const VARIABLE: &str = "BERTH_SECRETS_KEY";
const COMMAND_TIME: Duration = Duration::from_secs(30);

impl Config {
    /// Reads the configured keys; `None` where none are configured. `variable` is the value of `BERTH_SECRETS_KEY`.
    ///
    /// # Errors
    /// They are configured and can't be had, or are no keys: there is no falling back to another place.
    pub async fn load(&self, variable: Option<&str>) -> Result<Option<Vec<Key>>, KeyError> {
        match (&self.key_file, self.key_command.as_slice(), variable) {
            (Some(_), [_, ..], _) => Err(KeyError::Several("secrets.key_file", "secrets.key_command")),
            (Some(_), _, Some(_)) => Err(KeyError::Several("secrets.key_file", VARIABLE)),
            (_, [_, ..], Some(_)) => Err(KeyError::Several("secrets.key_command", VARIABLE)),
            (None, [], None) => Ok(None),
            (None, [], Some(text)) => parse_keys(text, VARIABLE).map(Some),
            (None, [program, arguments @ ..], None) => {
                let text = run(program, arguments).await?;
                parse_keys(&text, "what secrets.key_command prints").map(Some)
            }
            (Some(path), [], None) => {
                let text = std::fs::read_to_string(path).map(Zeroizing::new);
                let text = text.map_err(|source| KeyError::File { path: path.clone(), source })?;
                parse_keys(&text, &format!("secrets.key_file {}", path.display())).map(Some)
            }
        }
    }
}

/// Runs a program and returns what it prints. What it says on the standard error goes where ours goes.
async fn run(program: &str, arguments: &[String]) -> Result<Zeroizing<String>, KeyError> {
    let failed = |problem: String| KeyError::Command { program: program.to_owned(), problem };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let child = command.spawn().map_err(|error| failed(format!("can't be run: {error}")))?;
    let output = tokio::time::timeout(COMMAND_TIME, child.wait_with_output())
        .await
        .map_err(|_| failed(format!("did not end within {} s", COMMAND_TIME.as_secs())))?
        .map_err(|error| failed(format!("can't be read: {error}")))?;
    let text = Zeroizing::new(output.stdout);
    if !output.status.success() {
        return Err(failed(format!("ended with {}", output.status)));
    }
    let text = std::str::from_utf8(&text).map_err(|_| failed("printed what is not text".to_owned()))?;
    Ok(Zeroizing::new(text.to_owned()))
}
