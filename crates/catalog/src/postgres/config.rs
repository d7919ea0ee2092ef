//! How a network database is reached.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::{SslMode, TargetSessionAttrs};

use crate::error::{Error, Result};

/// A host that does not take a connection within this time counts as down.
pub(super) const CONNECT: Duration = Duration::from_secs(2);
/// A peer that acknowledges nothing for this long counts as gone.
const SILENCE: Duration = Duration::from_secs(5);

/// Settings of a catalog on Postgres.
#[derive(Clone)]
pub struct PostgresConfig {
    /// `postgres://user@host:5432,other:5432/database?sslmode=require`. With several hosts the one that takes writes is used.
    pub url: String,
    /// Where a standby of the same database can be reached that may answer lists.
    pub replica_url: Option<String>,
    /// Password, if the URL has none.
    pub password: Option<String>,
    /// Connections for requests and jobs; two more look after the catalog.
    pub pool: usize,
    /// Whether statements stay prepared on their connection. A pooler in between that gives each transaction another connection
    /// wants false.
    pub prepared_statements: bool,
    /// PEM file with certificates of authorities to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// How long work waits for the database, or for other work there, before it fails.
    pub patience: Duration,
}

impl PostgresConfig {
    /// Takes the defaults for everything but the URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            replica_url: None,
            password: None,
            pool: 16,
            prepared_statements: true,
            ca_file: None,
            patience: Duration::from_secs(10),
        }
    }

    /// Reads the URL: the settings of one connection for each host, in order.
    pub(super) fn hosts(&self) -> Result<Vec<tokio_postgres::Config>> {
        // Certificates are always checked in full, as these two ask for.
        let url = self.url.replace("sslmode=verify-full", "sslmode=require");
        let url = url.replace("sslmode=verify-ca", "sslmode=require");
        let mut whole: tokio_postgres::Config = url.parse().map_err(|error: tokio_postgres::Error| {
            let cause = std::error::Error::source(&error).map_or_else(String::new, ToString::to_string);
            Error::Config(format!("the URL is not understood: {cause}"))
        })?;
        if let Some(password) = &self.password {
            whole.password(password);
        }
        let hosts = split(&whole);
        if hosts.is_empty() {
            return Err(Error::Config("the URL names no host".into()));
        }
        if whole.get_ports().len() > 1 && whole.get_ports().len() != hosts.len() {
            return Err(Error::Config("the URL names more ports than hosts, or fewer".into()));
        }
        if self.pool == 0 {
            return Err(Error::Config("the pool must have at least one connection".into()));
        }
        Ok(hosts)
    }
}

/// The password stays out of logs, also one within the URL.
impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConfig")
            .field("pool", &self.pool)
            .field("prepared_statements", &self.prepared_statements)
            .field("ca_file", &self.ca_file)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// Takes the hosts apart, so that each gets its own time: one that takes a connection and then says nothing must not keep the
/// next from being tried.
fn split(whole: &tokio_postgres::Config) -> Vec<tokio_postgres::Config> {
    let count = whole.get_hosts().len().max(whole.get_hostaddrs().len());
    (0..count).map(|index| one(whole, index)).collect()
}

fn one(whole: &tokio_postgres::Config, index: usize) -> tokio_postgres::Config {
    use tokio_postgres::config::Host;

    let mut one = tokio_postgres::Config::new();
    match whole.get_hosts().get(index) {
        Some(Host::Tcp(name)) => drop(one.host(name)),
        #[cfg(unix)]
        Some(Host::Unix(path)) => drop(one.host_path(path)),
        None => {}
    }
    if let Some(address) = whole.get_hostaddrs().get(index) {
        one.hostaddr(*address);
    }
    if let Some(port) = whole.get_ports().get(index).or(whole.get_ports().first()) {
        one.port(*port);
    }
    if let Some(user) = whole.get_user() {
        one.user(user);
    }
    if let Some(password) = whole.get_password() {
        one.password(password);
    }
    if let Some(database) = whole.get_dbname() {
        one.dbname(database);
    }
    if let Some(options) = whole.get_options() {
        one.options(options);
    }
    one.application_name(whole.get_application_name().unwrap_or("berth"));
    one.ssl_mode(whole.get_ssl_mode())
        .ssl_negotiation(whole.get_ssl_negotiation())
        .channel_binding(whole.get_channel_binding())
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .connect_timeout(CONNECT)
        .tcp_user_timeout(SILENCE)
        .keepalives_idle(SILENCE)
        .keepalives_interval(Duration::from_secs(1))
        .keepalives_retries(3);
    one
}

/// Tells whether a connection may be encrypted.
pub(super) fn may_encrypt(host: &tokio_postgres::Config) -> bool {
    host.get_ssl_mode() != SslMode::Disable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_gets_its_port_and_the_rest() {
        let mut config = PostgresConfig::new("postgres://u:x@a:1,b:2/db?sslmode=verify-full");
        config.password = Some("secret".into());
        let hosts = config.hosts().unwrap();
        let ports: Vec<_> = hosts.iter().map(|host| host.get_ports().to_vec()).collect();
        assert_eq!(ports, [[1], [2]]);
        for host in hosts {
            assert_eq!((host.get_user(), host.get_dbname()), (Some("u"), Some("db")));
            assert_eq!(host.get_password(), Some(&b"secret"[..]));
            assert_eq!(host.get_ssl_mode(), SslMode::Require);
            assert_eq!(host.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        }
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn nonsense_is_refused() {
        for url in ["", "nonsense", "postgres://u@/db", "postgres://u@a/db?sslmode=maybe"] {
            let refused = PostgresConfig::new(url).hosts();
            assert!(matches!(refused, Err(Error::Config(_))), "{url}: {refused:?}");
        }
    }
}
