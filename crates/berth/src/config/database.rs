//! Where the catalog lies: a file in the data directory, or a Postgres that many nodes share.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use berth_catalog::PostgresConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret;

/// Most connections that one node may ask for.
const MOST_CONNECTIONS: usize = 1000;

/// Where what exists is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Database {
    /// A Postgres, such as `postgres://berth@db1,db2/berth?target_session_attrs=read-write&sslmode=require`; without it the
    /// catalog is a SQLite file in `data_dir`. Any number of nodes may share one.
    pub url: Option<DatabaseUrl>,
    /// A standby of that database, such as `postgres://berth@standby/berth`, that answers lists of tags, repositories and referrers
    /// when it has everything that was committed before the request; else the primary does.
    pub replica_url: Option<DatabaseUrl>,
    /// A file that holds the password and nothing else, read at the start.
    pub password_file: Option<PathBuf>,
    /// Connections that this node keeps at most; two more do its upkeep.
    pub pool: usize,
    /// Let connections keep prepared statements. Turn it off behind a pooler such as `PgBouncer` that hands them out per
    /// transaction.
    pub prepared_statements: bool,
    /// A file of PEM certificates that the database's certificate may be signed with, beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// Seconds that a request waits for a database that is overloaded or fails over, before it is refused with 503. One that has
    /// been away for longer is waited for by nobody.
    pub patience_seconds: u64,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: None,
            replica_url: None,
            password_file: None,
            pool: 16,
            prepared_statements: true,
            ca_file: None,
            patience_seconds: 10,
        }
    }
}

impl Database {
    /// Lists what the types let through but no database can work with.
    pub(super) fn problems(&self) -> impl Iterator<Item = String> {
        let pool = (!(1..=MOST_CONNECTIONS).contains(&self.pool))
            .then(|| format!("database.pool {}: use a number from 1 to {MOST_CONNECTIONS}", self.pool));
        let patience = (self.patience_seconds == 0).then(|| {
            "database.patience_seconds 0: use at least 1, so that a failover is waited for".to_owned()
        });
        let url = self.url.as_ref().and_then(|url| url.refuse("url"));
        let replica = match (&self.url, &self.replica_url) {
            (None, Some(_)) => {
                Some("database.replica_url is for a Postgres: set database.url, or leave it out".to_owned())
            }
            (_, replica) => replica.as_ref().and_then(|url| url.refuse("replica_url")),
        };
        let twice = self.password_file.is_some() && self.url.as_ref().is_some_and(DatabaseUrl::has_password);
        let twice = twice.then(|| {
            "database.url holds a password and database.password_file is set: keep one of them".to_owned()
        });
        [url, replica, twice, pool, patience].into_iter().flatten()
    }

    /// Returns how to reach the Postgres, if there is one; reads the password.
    pub(crate) fn postgres(&self) -> Result<Option<PostgresConfig>> {
        let Some(url) = &self.url else { return Ok(None) };
        let password = self.password_file.as_deref().map(secret::read).transpose();
        Ok(Some(PostgresConfig {
            url: url.0.clone(),
            replica_url: self.replica_url.as_ref().map(|url| url.0.clone()),
            password: password.context("database.password_file")?,
            pool: self.pool,
            prepared_statements: self.prepared_statements,
            ca_file: self.ca_file.clone(),
            patience: Duration::from_secs(self.patience_seconds),
        }))
    }
}

/// The address of a database. What is shown of it has no password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct DatabaseUrl(String);

impl DatabaseUrl {
    fn refuse(&self, key: &str) -> Option<String> {
        let is_postgres = ["postgres://", "postgresql://"].iter().any(|scheme| self.0.starts_with(scheme));
        (!is_postgres).then(|| {
            format!("database.{key} {self}: use postgres://USER@HOST/DATABASE, or leave it out for a file in data_dir")
        })
    }

    /// Splits around the password: what lies before it, and what follows. A slash in it belongs to it, as the driver reads it.
    fn split(&self) -> Option<(&str, &str)> {
        let start = self.0.find("://")? + 3;
        let rest = &self.0[start..];
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let query = rest.find('?').unwrap_or(rest.len());
        let user_end = start + rest[..end].rfind('@').or_else(|| rest[..query].rfind('@'))?;
        let colon = start + self.0[start..user_end].find(':')?;
        Some((&self.0[..=colon], &self.0[user_end..]))
    }

    fn has_password(&self) -> bool {
        self.split().is_some() || self.0.contains("password=")
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = match self.split() {
            Some((before, after)) => format!("{before}(hidden){after}"),
            None => self.0.clone(),
        };
        let mut parts = shown.split("password=");
        f.write_str(parts.next().unwrap_or_default())?;
        for part in parts {
            let after = part.find('&').map_or("", |end| &part[end..]);
            write!(f, "password=(hidden){after}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Database, DatabaseUrl};

    fn shown(url: &str) -> String {
        DatabaseUrl(url.to_owned()).to_string()
    }

    #[test]
    fn passwords_are_not_shown() {
        for (url, expected) in [
            ("postgres://u:p@h/d", "postgres://u:(hidden)@h/d"),
            (
                "postgres://u:p@a@h1:1,h2:2/d?sslmode=require",
                "postgres://u:(hidden)@h1:1,h2:2/d?sslmode=require",
            ),
            (
                "postgres://u@h/d?password=p&sslmode=require",
                "postgres://u@h/d?password=(hidden)&sslmode=require",
            ),
            ("postgres://u@h:5/d?a=x:y@z", "postgres://u@h:5/d?a=x:y@z"),
            ("postgres://u:p/w@h/d", "postgres://u:(hidden)@h/d"),
            (
                "postgres://u:p@h/d?password=p&password=q",
                "postgres://u:(hidden)@h/d?password=(hidden)&password=(hidden)",
            ),
            ("postgres:///d?password=p", "postgres:///d?password=(hidden)"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }

    #[test]
    fn what_no_database_takes_is_refused() {
        let with = |url: &str| Database { url: Some(DatabaseUrl(url.to_owned())), ..Database::default() };
        assert_eq!(with("postgres://u@h/d").problems().count(), 0);
        let said: String = with("mysql://u:secret@h/d").problems().collect();
        assert!(said.contains("postgres://USER@HOST") && !said.contains("secret"), "{said}");
        let twice = Database { password_file: Some("p".into()), ..with("postgres://u:p@h/d") };
        assert_eq!(twice.problems().count(), 1);
        let replica = |url: Option<&str>| {
            let replica_url = Some(DatabaseUrl("postgres://u@standby/d".to_owned()));
            Database { replica_url, ..url.map_or_else(Database::default, with) }.problems().count()
        };
        assert_eq!((replica(Some("postgres://u@h/d")), replica(None)), (0, 1));
        assert_eq!(Database { pool: 0, patience_seconds: 0, ..Database::default() }.problems().count(), 2);
    }

    #[test]
    fn the_password_comes_from_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        std::fs::write(&file, "secret\n").unwrap();
        let url = Some(DatabaseUrl("postgres://u@h/d".to_owned()));
        let database = Database { url, password_file: Some(file.clone()), ..Database::default() };
        assert_eq!(database.postgres().unwrap().unwrap().password.as_deref(), Some("secret"));
        std::fs::remove_file(&file).unwrap();
        let error = format!("{:#}", database.postgres().unwrap_err());
        assert!(error.contains("database.password_file"), "{error}");
    }
}
