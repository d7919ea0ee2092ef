//! Writes records as lines of JSON, to a file or to the standard output.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Sink, Undelivered};

/// Writes each record of the audit trail as a line of JSON, in the Elastic Common Schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lines {
    /// Where they go.
    pub to: LinesTo,
    /// The file, if they go to one. Lines are added at its end; it is opened anew each time, so it may be moved away.
    #[serde(default)]
    pub path: Option<PathBuf>,
}

/// Where lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LinesTo {
    /// The standard output, between the lines of the log.
    Stdout,
    /// A file.
    File,
}

impl Lines {
    /// Says what could not work.
    pub fn problem(&self) -> Option<&'static str> {
        match (self.to, &self.path) {
            (LinesTo::File, None) => Some("audit.lines.path is not set: name the file that lines go to"),
            (LinesTo::Stdout, Some(_)) => {
                Some("audit.lines.path is set, but lines go to stdout: set audit.lines.to to file")
            }
            _ => None,
        }
    }
}

impl Sink for Lines {
    async fn deliver(&mut self, documents: &mut Vec<(String, Value)>) -> Result<(), Undelivered> {
        let mut text = Vec::new();
        for (_, document) in documents.iter() {
            // Neither a value nor a growing buffer can fail.
            let _ = serde_json::to_writer(&mut text, document);
            text.push(b'\n');
        }
        let path = self.path.clone().filter(|_| self.to == LinesTo::File);
        let writing = tokio::task::spawn_blocking(move || write(path.as_deref(), &text));
        let place = || self.path.as_ref().map_or("stdout".into(), |path| path.display().to_string());
        match writing.await {
            Ok(Ok(())) => {
                documents.clear();
                Ok(())
            }
            Ok(Err(error)) => Err(Undelivered(format!("{}: {error}", place()))),
            Err(error) => Err(Undelivered(error.to_string())),
        }
    }
}

fn write(path: Option<&Path>, text: &[u8]) -> io::Result<()> {
    let Some(path) = path else {
        let mut out = io::stdout().lock();
        out.write_all(text)?;
        return out.flush();
    };
    // It holds names and addresses: whoever collects it is in the group.
    let mut file = std::fs::File::options().create(true).append(true).mode(0o640).open(path)?;
    let length = file.metadata()?.len();
    let written = file.write_all(text).and_then(|()| file.sync_data());
    if written.is_err() {
        // Half a line would spoil the next one.
        let _ = file.set_len(length);
    }
    written
}
