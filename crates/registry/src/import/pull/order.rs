//! What is to be pulled from where. It lies in the job's row, so it holds no secrets: it names the files that do.

use std::path::{Path, PathBuf};

use berth_client::{Address, Credentials, Limits, Settings, Upstream};
use serde::{Deserialize, Serialize};

use crate::Config;

/// Most transfers at a time that an order may ask for.
const MOST_PARALLEL: usize = 64;

/// What is to be pulled from where. Paths must be absolute: whoever works it reads the files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PullOrder {
    /// Address of the other registry.
    pub registry: String,
    /// Whether it may be spoken to without TLS.
    pub plain_http: bool,
    /// Certificates of authorities to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Who to be there.
    pub username: Option<String>,
    /// File whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// File of credentials as docker and podman keep it.
    pub auth_file: Option<PathBuf>,
    /// Patterns of repositories to take; empty for all.
    pub repositories: Vec<String>,
    /// Repositories to look at; `None` for those that the registry lists.
    pub names: Option<Vec<String>>,
    /// Patterns of tags to take; empty for all.
    pub tags: Vec<String>,
    /// Patterns of repositories, or of `repository:tag`, to leave out.
    pub exclude: Vec<String>,
    /// What to put before every name here.
    pub prefix: Option<String>,
    /// Beginnings of names there, and what stands for them here.
    pub rename: Vec<(String, String)>,
    /// Only find out what would come.
    pub dry_run: bool,
    /// Transfers at a time; 0 for the usual number.
    pub parallel: usize,
    /// Bytes per second at most; 0 for no limit.
    pub bytes_per_second: u64,
}

impl PullOrder {
    /// Tells how many things are done at a time.
    pub(super) fn parallel(&self) -> usize {
        if self.parallel == 0 { 4 } else { self.parallel.min(MOST_PARALLEL) }
    }

    /// Makes the client of the other registry. Reads the files, so it blocks for a moment.
    pub(super) fn connect(&self, config: &Config) -> berth_client::Result<Upstream> {
        let address = Address::parse(&self.registry, self.plain_http)?;
        let credentials = match (&self.username, &self.password_file, &self.auth_file) {
            (Some(name), Some(file), _) => Some(Credentials::from_password_file(name, file)?),
            (_, _, Some(file)) => Credentials::from_auth_file(file, &address)?,
            _ => None,
        };
        let limits = Limits { manifest_bytes: config.limits.manifest_bytes, ..Limits::default() };
        Upstream::new(&Settings {
            authorities: self.ca_file.as_deref().map(read).transpose()?,
            bytes_per_second: self.bytes_per_second,
            address,
            credentials,
            limits,
        })
    }
}

fn read(file: &Path) -> berth_client::Result<Vec<u8>> {
    std::fs::read(file)
        .map_err(|error| berth_client::Error::Settings(format!("{} can't be read: {error}", file.display())))
}
