//! Configuration: the rooms' own, composed. A file, then the environment, then flags; what comes later wins.

mod database;
mod environment;
mod file;
mod nearest;
mod schema;
pub(crate) mod secret;
mod storage;
mod traces;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use berth_access::Anonymous;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

pub(crate) use database::Database;
pub(crate) use schema::document as schema_document;
pub(crate) use storage::{Bucket, Storage};
pub(crate) use traces::Traces;

/// Read when it lies in the working directory and no other file is named.
const DEFAULT_FILE: &str = "berth.yaml";

/// The configuration of Berth. Every key has a default: an empty file is a working registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "Berth configuration")]
pub(crate) struct Config {
    /// The directory that holds everything: catalog, blobs, uploads. Made when missing. One server at a time uses it; a node
    /// with `database.url` and `storage.bucket` keeps nothing in it.
    pub data_dir: PathBuf,
    /// Where what exists is written down.
    pub database: Database,
    /// How Berth speaks HTTP.
    pub http: berth_server::Config,
    /// Who may use the registry.
    pub access: berth_access::Config,
    /// What secrets in the catalog are sealed under.
    pub secrets: berth_vault::Config,
    /// Roles beside the built-in ones: what whoever holds them may do, and may not. One of a built-in's name replaces it.
    pub roles: Vec<berth_access::RoleConfig>,
    /// What a push may be.
    pub limits: berth_registry::Limits,
    /// How bytes are kept.
    pub storage: Storage,
    /// When garbage is collected.
    pub gc: berth_registry::Collection,
    /// How stored bytes are checked.
    pub scrub: berth_registry::Scrub,
    /// What Berth writes about its work.
    pub log: Log,
    /// Where Berth sends traces of its requests.
    pub traces: Traces,
    /// What is recorded of who did what, and for how long it stays.
    pub audit: berth_audit::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: "berth-data".into(),
            database: Database::default(),
            http: berth_server::Config::default(),
            access: berth_access::Config::default(),
            secrets: berth_vault::Config::default(),
            roles: Vec::new(),
            limits: berth_registry::Limits::default(),
            storage: Storage::default(),
            gc: berth_registry::Collection::default(),
            scrub: berth_registry::Scrub::default(),
            log: Log::default(),
            traces: Traces::default(),
            audit: berth_audit::Config::default(),
        }
    }
}

/// What Berth writes about its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    /// The least level written: `error`, `warn`, `info`, `debug` or `trace`. Parts can have their own:
    /// `info,berth_registry=debug`.
    pub level: String,
    /// The form of the lines.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Auto }
    }
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// `human` when the standard output is a terminal, else `json`.
    #[default]
    Auto,
    /// For eyes, on the standard error.
    Human,
    /// One JSON object per line, on the standard output.
    Json,
}

/// What the command line says about the configuration.
#[derive(Debug, Default)]
pub(crate) struct Flags {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--listen`, given once or several times.
    pub listen: Vec<SocketAddr>,
    /// `--anonymous`.
    pub anonymous: Option<Anonymous>,
}

/// The configuration in effect.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file it came from, if any.
    pub file: Option<PathBuf>,
}

/// Reads the configuration of a server: all of it must be fit to serve, and who may come in is decided.
pub(crate) fn load_for_serving(flags: Flags) -> anyhow::Result<Loaded> {
    let mut loaded = load(flags)?;
    let all_loopback =
        loaded.config.http.listen.iter().all(|address| address.ip().to_canonical().is_loopback());
    loaded.config.access.anonymous =
        Some(berth_access::effective_anonymous(&loaded.config.access, all_loopback)?);
    Ok(loaded)
}

/// Reads file, environment and flags, and refuses what could not work.
pub(crate) fn load(flags: Flags) -> anyhow::Result<Loaded> {
    let file = flags.file.or_else(|| Path::new(DEFAULT_FILE).is_file().then(|| DEFAULT_FILE.into()));
    let mut config = match &file {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("configuration file {} can't be read", path.display()))?;
            file::parse(&text, &path.display().to_string())?
        }
        None => Config::default(),
    };
    config = environment::overlay(config, environment::variables()?)?;
    if let Some(data_dir) = flags.data_dir {
        config.data_dir = data_dir;
    }
    if !flags.listen.is_empty() {
        config.http.listen = flags.listen;
    }
    config.access.anonymous = flags.anonymous.or(config.access.anonymous);
    config.access.roles.clone_from(&config.roles);
    let problems = config.problems();
    if problems.is_empty() { Ok(Loaded { config, file }) } else { bail!(problems.join("\n")) }
}

impl Config {
    /// Lists what the types let through but no server can work with.
    fn problems(&self) -> Vec<String> {
        let data_dir =
            (self.data_dir.as_os_str().is_empty()).then(|| "data_dir is empty: name a directory".to_owned());
        let level = EnvFilter::try_new(&self.log.level).err().map(|error| {
            format!("log.level {:?}: {error}; use error, warn, info, debug or trace", self.log.level)
        });
        let http = self.http.check().err().map(|error| error.to_string());
        let access = self.access.validate().err().map(|error| error.to_string());
        let rooms = self
            .database
            .problems()
            .chain(self.storage.problems())
            .chain(self.traces.problems())
            .chain(self.audit.problems());
        [data_dir, http, access, level].into_iter().flatten().chain(rooms).collect()
    }

    /// Tells whether everything that must last lies outside this machine.
    pub(crate) fn is_stateless(&self) -> bool {
        self.database.url.is_some() && self.storage.bucket.is_some()
    }

    /// Says where the audit trail may keep files.
    pub(crate) fn audit_place(&self) -> berth_audit::Place {
        let here = (!self.is_stateless()).then(|| self.data_dir.clone());
        // On a shared database whoever is first archives, so all must do so in one place.
        let archive = self.database.url.is_none().then(|| self.data_dir.join("audit-archive"));
        berth_audit::Place {
            spool: self.audit.spool_dir.clone().or(here),
            archive: self.audit.archive_dir.clone().or(archive),
        }
    }

    /// Writes the configuration as YAML, without the users' password hashes and the databases' passwords.
    pub(crate) fn to_yaml(&self) -> anyhow::Result<String> {
        let mut value = serde_json::to_value(self)?;
        let users = value.pointer_mut("/access/users").and_then(serde_json::Value::as_array_mut);
        for user in users.into_iter().flatten() {
            user["password"] = "(hidden)".into();
        }
        let Database { url, replica_url, .. } = &self.database;
        for (key, url) in [("url", url), ("replica_url", replica_url)] {
            if let Some(url) = url {
                value["database"][key] = url.to_string().into();
            }
        }
        Ok(serde_saphyr::to_string(&value)?)
    }
}
