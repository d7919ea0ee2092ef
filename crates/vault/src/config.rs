//! The `secrets` part of the configuration: where the keys lie that secrets are sealed under.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the key lies that secrets in the catalog are sealed under. The variable `BERTH_SECRETS_KEY` may hold it instead. Where none of
/// these is set, a key is made and kept in the catalog, beside what it seals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A file with one or several keys of 32 bytes in base64 or hexadecimal, one a line. The first seals, all open.
    pub key_file: Option<PathBuf>,
    /// A program with its arguments that prints what such a file holds, for keys that a key management service keeps. It is run at
    /// the start, without a shell, and has 30 seconds.
    pub key_command: Vec<String>,
}
