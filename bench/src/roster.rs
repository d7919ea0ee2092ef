//! Who takes part: how each server is configured and started.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::server::{Server, free_address};

/// Column names that goals refer to.
pub(crate) const BERTH: &str = "Berth";
/// Debian's package.
pub(crate) const DOCKER_REGISTRY: &str = "docker-registry";
/// The Go module.
pub(crate) const DISTRIBUTION: &str = "distribution v3";
/// The limit for static bytes.
pub(crate) const NGINX: &str = "nginx";
/// The limit for a server in Rust that decides nothing.
pub(crate) const HYPER: &str = "hyper";

/// The programs, and the registries that were given by address.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    /// Berth's release build.
    pub(crate) berth: Option<PathBuf>,
    /// Debian's docker-registry.
    pub(crate) docker_registry: Option<PathBuf>,
    /// distribution v3.
    pub(crate) distribution: Option<PathBuf>,
    /// nginx.
    pub(crate) nginx: Option<PathBuf>,
    /// `NAME=URL` arguments.
    pub(crate) given: Vec<(String, String)>,
    /// Where servers keep their data.
    pub(crate) directory: PathBuf,
}

/// Certificate and key for TLS rows.
#[derive(Debug)]
pub(crate) struct Certificate {
    /// PEM file of the self-signed certificate.
    pub(crate) certificate: PathBuf,
    /// PEM file of its key.
    pub(crate) key: PathBuf,
}

impl Roster {
    /// The registries' columns, Berth first.
    pub(crate) fn names(&self) -> Vec<String> {
        let started = [
            (BERTH, &self.berth),
            (DOCKER_REGISTRY, &self.docker_registry),
            (DISTRIBUTION, &self.distribution),
        ];
        let started =
            started.into_iter().filter(|(_, program)| program.is_some()).map(|(name, _)| name.to_owned());
        started.chain(self.given.iter().map(|(name, _)| name.clone())).collect()
    }

    /// Starts every registry on an empty store; those given by address join as they are.
    pub(crate) fn start(&self) -> Result<Vec<Server>> {
        self.names().iter().map(|name| self.start_one(name)).collect()
    }

    /// Starts one registry on an empty store.
    pub(crate) fn start_one(&self, name: &str) -> Result<Server> {
        if let Some((_, url)) = self.given.iter().find(|(given, _)| given == name) {
            return Server::given(name, url);
        }
        let directory = self.fresh_directory(name)?;
        self.start_in(name, &directory)
    }

    /// Starts one registry on a store that may hold something.
    pub(crate) fn start_in(&self, name: &str, directory: &Path) -> Result<Server> {
        let address = free_address()?;
        let mut command = self.command(name, directory, address, None)?;
        Server::spawn(name, address, directory, &mut command)
    }

    /// Starts one registry behind TLS, on a store that may hold something.
    pub(crate) fn start_tls(
        &self,
        name: &str,
        directory: &Path,
        certificate: &Certificate,
    ) -> Result<Server> {
        let address = free_address()?;
        let mut command = self.command(name, directory, address, Some(certificate))?;
        Server::spawn(&format!("{name} TLS"), address, directory, &mut command)
    }

    /// Starts Berth or distribution in a column of another name, with a configuration of its own: `configure` makes the text from
    /// the address to listen on and the server's empty directory.
    pub(crate) fn start_configured(
        &self,
        program: &str,
        column: &str,
        configure: impl FnOnce(SocketAddr, &Path) -> Result<String>,
    ) -> Result<Server> {
        let directory = self.fresh_directory(column)?;
        self.start_configured_in(program, column, &directory, configure)
    }

    /// Does the same on a store that may hold something.
    pub(crate) fn start_configured_in(
        &self,
        program: &str,
        column: &str,
        directory: &Path,
        configure: impl FnOnce(SocketAddr, &Path) -> Result<String>,
    ) -> Result<Server> {
        let address = free_address()?;
        let text = configure(address, directory)?;
        let mut command = self.serve(program, directory, &text)?;
        Server::spawn(column, address, directory, &mut command)
    }

    /// An empty directory for a server's data.
    pub(crate) fn fresh_directory(&self, name: &str) -> Result<PathBuf> {
        let directory = self.directory.join(name.replace(' ', "-"));
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(&directory)?;
        Ok(directory)
    }

    fn command(
        &self,
        name: &str,
        directory: &Path,
        address: SocketAddr,
        tls: Option<&Certificate>,
    ) -> Result<Command> {
        let configuration = if name == BERTH { berth_configuration } else { distribution_configuration };
        self.serve(name, directory, &configuration(address, directory, tls))
    }

    fn serve(&self, name: &str, directory: &Path, configuration: &str) -> Result<Command> {
        let program = match name {
            BERTH => &self.berth,
            DOCKER_REGISTRY => &self.docker_registry,
            _ => &self.distribution,
        };
        let mut command = Command::new(program.as_ref().with_context(|| format!("{name} is not installed"))?);
        let file = directory.join("configuration.yaml");
        fs::write(&file, configuration)?;
        command.arg("serve");
        if name == BERTH {
            command.arg("--config").arg(&file);
        } else {
            command.arg(&file).env("OTEL_TRACES_EXPORTER", "none");
        }
        Ok(command)
    }
}

fn berth_configuration(address: SocketAddr, directory: &Path, tls: Option<&Certificate>) -> String {
    let tls = tls.map_or_else(String::new, |tls| {
        format!("  tls:\n    certificate: {}\n    key: {}\n", tls.certificate.display(), tls.key.display())
    });
    format!("data_dir: {}\nhttp:\n  listen: [\"{address}\"]\n{tls}", directory.join("data").display())
}

/// The configuration that both generations of distribution read, with the descriptor cache that their own
/// packages turn on.
fn distribution_configuration(address: SocketAddr, directory: &Path, tls: Option<&Certificate>) -> String {
    let tls = tls.map_or_else(String::new, |tls| {
        format!("  tls:\n    certificate: {}\n    key: {}\n", tls.certificate.display(), tls.key.display())
    });
    format!(
        "version: 0.1\nlog:\n  level: info\nstorage:\n  cache:\n    blobdescriptor: inmemory\n  filesystem:\n    \
         rootdirectory: {}\n  delete:\n    enabled: true\nhttp:\n  addr: \"{address}\"\n{tls}",
        directory.join("data").display()
    )
}
