//! Roles made through the API or by a command. What their policies mean is `access`'s business.

use jiff::Timestamp;

use crate::access_generation;
use crate::driver::{Reader, Row, params};
use crate::error::Result;
use crate::tx::Tx;

/// A role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its policies, as a JSON array.
    pub policies: String,
    /// When it was made or last changed.
    pub changed_at: Timestamp,
}

/// Finds a role by name.
pub async fn find(r: &Reader, name: &str) -> Result<Option<Role>> {
    r.query_opt(
        "SELECT name, description, policies, changed_at FROM role WHERE name = $1",
        params![name],
        read_role,
    )
    .await
}

/// Lists roles in byte order, after `after`.
pub async fn list(r: &Reader, after: &str, limit: usize) -> Result<Vec<Role>> {
    r.query(
        "SELECT name, description, policies, changed_at FROM role WHERE name > $1 ORDER BY name LIMIT $2",
        params![after, limit],
        read_role,
    )
    .await
}

/// Makes a role, or replaces the one of its name.
pub async fn insert(
    tx: &mut Tx,
    name: &str,
    description: &str,
    policies: &str,
    now: Timestamp,
) -> Result<()> {
    tx.post(
        "INSERT INTO role (name, description, policies, changed_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE SET description = excluded.description, policies = excluded.policies,
                                          changed_at = excluded.changed_at",
        params![name, description, policies, now],
    )
    .await?;
    access_generation::bump(tx).await
}

/// Tells whether there are so many roles or more.
pub async fn are_many(r: &Reader, many: usize) -> Result<bool> {
    let sql = "SELECT id FROM role ORDER BY id LIMIT 1 OFFSET $1";
    Ok(r.query_opt(sql, params![many.saturating_sub(1)], |row| row.int(0)).await?.is_some())
}

/// Deletes a role. Returns false if there is none of that name. Bindings to it grant nothing from then on.
pub async fn delete(tx: &mut Tx, name: &str) -> Result<bool> {
    let deleted = tx.execute("DELETE FROM role WHERE name = $1", params![name]).await?;
    access_generation::bump(tx).await?;
    Ok(deleted > 0)
}

fn read_role(row: &Row<'_>) -> Result<Role> {
    Ok(Role {
        name: row.text(0)?.to_owned(),
        description: row.text(1)?.to_owned(),
        policies: row.text(2)?.to_owned(),
        changed_at: row.time(3)?,
    })
}
