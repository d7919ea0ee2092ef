//! Repositories by name.

use berth_oci::RepositoryName;
use jiff::Timestamp;

use crate::driver::{Reader, params};
use crate::error::Result;
use crate::tx::Tx;

/// A repository that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    pub(crate) id: i64,
    pub(crate) name: RepositoryName,
}

impl Repository {
    /// Returns the name.
    pub fn name(&self) -> &RepositoryName {
        &self.name
    }
}

/// Finds a repository by name.
pub async fn find(r: &Reader, name: &RepositoryName) -> Result<Option<Repository>> {
    r.query_opt("SELECT id FROM repository WHERE name = $1", params![name.as_str()], |row| {
        Ok(Repository { id: row.int(0)?, name: name.clone() })
    })
    .await
}

/// Finds a repository, or creates it on its first push.
pub async fn ensure(tx: &mut Tx, name: &RepositoryName, now: Timestamp) -> Result<Repository> {
    match find(tx, name).await? {
        Some(known) => Ok(known),
        None => insert(tx, name, now).await,
    }
}

/// Creates a repository that is not there.
pub(crate) async fn insert(tx: &mut Tx, name: &RepositoryName, now: Timestamp) -> Result<Repository> {
    tx.post("INSERT INTO repository (name, created_at) VALUES ($1, $2)", params![name.as_str(), now]).await?;
    find(tx, name).await?.ok_or(crate::Error::Invalid { what: "repository", value: name.to_string() })
}

/// Lists repositories that hold a manifest, in byte order, after `after`.
pub async fn list(r: &Reader, after: &str, limit: usize) -> Result<Vec<RepositoryName>> {
    r.query(
        "SELECT name FROM repository AS r
          WHERE name > $1 AND EXISTS (SELECT 1 FROM manifest AS m WHERE m.repository_id = r.id)
          ORDER BY name LIMIT $2",
        params![after, limit],
        |row| row.parse(0, "repository name"),
    )
    .await
}

/// Lists repositories that link a blob and are readable sources for a mount, at most `limit`.
pub async fn list_linking(r: &Reader, digest: &str, limit: usize) -> Result<Vec<RepositoryName>> {
    r.query(
        "SELECT r.name FROM blob AS b
           JOIN link AS l ON l.blob_id = b.id
           JOIN repository AS r ON r.id = l.repository_id
          WHERE b.digest = $1 AND b.damaged_at IS NULL
          ORDER BY r.name LIMIT $2",
        params![digest, limit],
        |row| row.parse(0, "repository name"),
    )
    .await
}

/// Deletes a repository's row if it holds nothing any more.
pub(crate) async fn delete_if_empty(tx: &mut Tx, id: i64) -> Result<()> {
    tx.post(
        "DELETE FROM repository WHERE id = $1
            AND NOT EXISTS (SELECT 1 FROM manifest WHERE repository_id = $1)
            AND NOT EXISTS (SELECT 1 FROM link WHERE repository_id = $1)
            AND NOT EXISTS (SELECT 1 FROM upload WHERE repository_id = $1)",
        params![id],
    )
    .await?;
    Ok(())
}
