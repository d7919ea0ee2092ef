//! Users of the configuration whose sessions and tokens somebody ended. They have no account that could say so.

use jiff::Timestamp;

use crate::access_generation::bump;
use crate::driver::{Reader, params};
use crate::error::Result;
use crate::session;
use crate::tx::Tx;

/// A user of the configuration, and since when what was proved counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logout {
    /// The user's name.
    pub name: String,
    /// Tokens and sessions from before are good for nothing.
    pub valid_after: Timestamp,
}

/// Ends all tokens and sessions from before.
pub async fn set(tx: &mut Tx, name: &str, at: Timestamp) -> Result<()> {
    session::delete_of(tx, name).await?;
    tx.post(
        "INSERT INTO logout (name, valid_after) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET valid_after = excluded.valid_after",
        params![name, at],
    )
    .await?;
    bump(tx).await
}

/// Finds since when what a user proved counts; `None` if nobody ended anything.
pub async fn find(r: &Reader, name: &str) -> Result<Option<Timestamp>> {
    r.query_opt("SELECT valid_after FROM logout WHERE name = $1", params![name], |row| row.time(0)).await
}

/// Lists them in byte order of their names, after `after`.
pub async fn list(r: &Reader, after: &str, limit: usize) -> Result<Vec<Logout>> {
    r.query(
        "SELECT name, valid_after FROM logout WHERE name > $1 ORDER BY name LIMIT $2",
        params![after, limit],
        |row| Ok(Logout { name: row.text(0)?.to_owned(), valid_after: row.time(1)? }),
    )
    .await
}
