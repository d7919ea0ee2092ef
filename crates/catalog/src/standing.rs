//! What decisions rest on of accounts and robots: whether they still stand, and what a robot may do.

use jiff::Timestamp;

use crate::account::Source;
use crate::driver::{Reader, params};
use crate::error::Result;

/// How a user's account stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user's name.
    pub name: String,
    /// Who vouches for the user.
    pub source: Source,
    /// Since when it is disabled.
    pub disabled_at: Option<Timestamp>,
    /// Whether nothing is allowed before a change of the password, or before the service that vouches for the user does so again.
    pub must_change: bool,
    /// Tokens and sessions from before are good for nothing.
    pub valid_after: Timestamp,
    /// The user's groups, as a JSON array, as of the last login elsewhere.
    pub member_of: String,
}

/// How a robot account stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Robot {
    /// Its whole name.
    pub name: String,
    /// The project it is confined to; empty for one of the system.
    pub project: String,
    /// What it may do, as a JSON array of policies.
    pub policies: String,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// Since when it is disabled.
    pub disabled_at: Option<Timestamp>,
    /// Tokens from before are good for nothing.
    pub valid_after: Timestamp,
}

/// Lists how accounts stand, in byte order of their names, after `after`.
pub async fn list_accounts(r: &Reader, after: &str, limit: usize) -> Result<Vec<Account>> {
    r.query(
        "SELECT name, source, disabled_at, must_change, valid_after, member_of FROM account WHERE name > $1
          ORDER BY name LIMIT $2",
        params![after, limit],
        |row| {
            Ok(Account {
                name: row.text(0)?.to_owned(),
                source: row.parse(1, "source of an account")?,
                disabled_at: row.time_opt(2)?,
                must_change: row.int(3)? != 0,
                valid_after: row.time(4)?,
                member_of: row.text(5)?.to_owned(),
            })
        },
    )
    .await
}

/// Lists how robots stand, in byte order of their names, after `after`.
pub async fn list_robots(r: &Reader, after: &str, limit: usize) -> Result<Vec<Robot>> {
    r.query(
        "SELECT name, project, policies, expires_at, disabled_at, valid_after FROM robot
          WHERE name > $1 ORDER BY name LIMIT $2",
        params![after, limit],
        |row| {
            Ok(Robot {
                name: row.text(0)?.to_owned(),
                project: row.text(1)?.to_owned(),
                policies: row.text(2)?.to_owned(),
                expires_at: row.time_opt(3)?,
                disabled_at: row.time_opt(4)?,
                valid_after: row.time(5)?,
            })
        },
    )
    .await
}
