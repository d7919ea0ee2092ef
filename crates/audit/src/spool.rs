//! Records that can't be written for now: a file, sealed line by line, so that no names lie on the disk.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_vault::Vault;

use crate::draft::Draft;
use crate::error::{Error, Result};

const NAME: &str = "audit.spool";
/// What the lines are sealed for.
const CONTEXT: &str = "audit/spool";
/// Records to a line.
const LINE: usize = 1000;

/// A bounded file of records.
#[derive(Debug)]
pub(crate) struct Spool {
    path: PathBuf,
    limit: u64,
    vault: Vault,
    bytes: u64,
}

impl Spool {
    /// Names the file in a directory, which is made when it is needed; what an earlier process left there counts.
    pub(crate) fn open(directory: &Path, limit: u64, vault: Vault) -> Result<Self> {
        let path = directory.join(NAME);
        let bytes = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => return Err(Error::file(path.display().to_string(), &error)),
        };
        Ok(Self { path, limit, vault, bytes })
    }

    /// Returns how much lies in it.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends records; they are on the disk when this returns.
    pub(crate) async fn append(&mut self, drafts: &[Draft]) -> Result<()> {
        let mut text = String::new();
        for some in drafts.chunks(LINE) {
            let json = serde_json::to_vec(some).map_err(|error| Error::file(NAME, &error))?;
            text.push_str(&STANDARD.encode(self.vault.seal(CONTEXT, &json)?));
            text.push('\n');
        }
        if self.bytes + text.len() as u64 > self.limit {
            return Err(Error::file(self.path.display().to_string(), "it is full"));
        }
        let (path, known) = (self.path.clone(), self.bytes);
        let written = tokio::task::spawn_blocking(move || append_to(&path, known, text.as_bytes())).await;
        self.bytes = written.map_err(|error| Error::file(NAME, &error))??;
        Ok(())
    }

    /// Reads the line at `from`, and says where the next begins. What can't be read, such as a line that a power loss cut short, is
    /// skipped and said.
    pub(crate) fn read(&self, mut from: u64) -> Result<Option<(Vec<Draft>, u64)>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(from))?;
        let mut lines = BufReader::new(file);
        loop {
            let mut line = Vec::new();
            let length = lines.read_until(b'\n', &mut line)?;
            if length == 0 {
                return Ok(None);
            }
            from += length as u64;
            match self.parse(line.trim_ascii_end()) {
                Ok(drafts) => return Ok(Some((drafts, from))),
                Err(error) => {
                    tracing::error!(%error, file = %self.path.display(), "skipped a damaged line of records");
                }
            }
        }
    }

    fn parse(&self, line: &[u8]) -> Result<Vec<Draft>> {
        let sealed = STANDARD.decode(line).map_err(|error| Error::file(NAME, &error))?;
        let json = self.vault.open(CONTEXT, &sealed)?;
        serde_json::from_slice(&json).map_err(|error| Error::file(NAME, &error))
    }

    /// Empties the file.
    pub(crate) fn clear(&mut self) -> Result<()> {
        let file = OpenOptions::new().write(true).open(&self.path)?;
        file.set_len(0)?;
        file.sync_all()?;
        self.bytes = 0;
        Ok(())
    }
}

/// Appends behind `known` bytes: what a failed try left behind them goes.
fn append_to(path: &Path, known: u64, text: &[u8]) -> io::Result<u64> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    file.set_len(known)?;
    file.seek(SeekFrom::End(0))?;
    file.write_all(text)?;
    file.sync_all()?;
    if known == 0
        && let Some(parent) = path.parent()
    {
        File::open(parent)?.sync_all()?;
    }
    Ok(known + text.len() as u64)
}
