//! Projects: the first components of repositories' names, and who may see into them.

use jiff::Timestamp;
use serde_json::Value;

use crate::driver::{Reader, Row, params};
use crate::error::{Error, Result};
use crate::tx::Tx;
use crate::{access_generation, binding};

/// A project that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The first component of its repositories' names.
    pub name: String,
    /// Whether everybody may pull.
    pub public: bool,
    /// What features keep with it, as a JSON object.
    pub settings: Value,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it, by a caller's name; empty for one that is older than projects are.
    pub created_by: String,
}

/// Finds a project by name.
pub async fn find(r: &Reader, name: &str) -> Result<Option<Project>> {
    r.query_opt(
        "SELECT name, public, settings, created_at, created_by FROM project WHERE name = $1",
        params![name],
        read_project,
    )
    .await
}

/// Lists projects in byte order, after `after`.
pub async fn list(r: &Reader, after: &str, limit: usize) -> Result<Vec<Project>> {
    r.query(
        "SELECT name, public, settings, created_at, created_by FROM project WHERE name > $1
          ORDER BY name LIMIT $2",
        params![after, limit],
        read_project,
    )
    .await
}

/// Lists the names of public projects in byte order, after `after`.
pub async fn list_public(r: &Reader, after: &str, limit: usize) -> Result<Vec<String>> {
    r.query(
        "SELECT name FROM project WHERE public = 1 AND name > $1 ORDER BY name LIMIT $2",
        params![after, limit],
        |row| Ok(row.text(0)?.to_owned()),
    )
    .await
}

/// Tells whether a repository lies in it: one of its name, or below.
pub async fn holds_repository(r: &Reader, name: &str) -> Result<bool> {
    // '0' is the character behind '/'.
    let (from, to) = (format!("{name}/"), format!("{name}0"));
    let found = r
        .query_opt(
            "SELECT id FROM repository WHERE name = $1
             UNION ALL
             SELECT id FROM repository WHERE name > $2 AND name < $3
              LIMIT 1",
            params![name, &from, &to],
            |row| row.int(0),
        )
        .await?;
    Ok(found.is_some())
}

/// Makes a project. Returns false if there is one of that name. A private one changes no decision, so pushes that make projects do
/// not have every node look again.
pub async fn insert(tx: &mut Tx, name: &str, public: bool, by: &str, now: Timestamp) -> Result<bool> {
    let made = tx
        .execute(
            "INSERT INTO project (name, public, settings, created_at, created_by)
             VALUES ($1, $2, '{}', $3, $4) ON CONFLICT (name) DO NOTHING",
            params![name, i64::from(public), now, by],
        )
        .await?;
    if made > 0 && public {
        access_generation::bump(tx).await?;
    }
    Ok(made > 0)
}

/// Opens a project to everybody who wants to pull, or closes it. Returns false if there is none.
pub async fn set_public(tx: &mut Tx, name: &str, public: bool) -> Result<bool> {
    let changed = tx
        .execute("UPDATE project SET public = $1 WHERE name = $2", params![i64::from(public), name])
        .await?;
    access_generation::bump(tx).await?;
    Ok(changed > 0)
}

/// Replaces what features keep with it: a JSON object. Returns false if there is no such project.
pub async fn set_settings(tx: &mut Tx, name: &str, settings: &Value) -> Result<bool> {
    let text = settings.to_string();
    let changed =
        tx.execute("UPDATE project SET settings = $1 WHERE name = $2", params![&text, name]).await?;
    Ok(changed > 0)
}

/// Tells whether there are so many projects or more.
pub async fn are_many(r: &Reader, many: usize) -> Result<bool> {
    let sql = "SELECT id FROM project ORDER BY id LIMIT 1 OFFSET $1";
    Ok(r.query_opt(sql, params![many.saturating_sub(1)], |row| row.int(0)).await?.is_some())
}

/// Deletes a project, its bindings and its robots with theirs, wherever those are. Its repositories are the caller's business: there must be none.
pub async fn delete(tx: &mut Tx, name: &str) -> Result<bool> {
    binding::delete_project(tx, name).await?;
    tx.post("DELETE FROM robot WHERE project = $1", params![name]).await?;
    let deleted = tx.execute("DELETE FROM project WHERE name = $1", params![name]).await?;
    access_generation::bump(tx).await?;
    Ok(deleted > 0)
}

fn read_project(row: &Row<'_>) -> Result<Project> {
    let settings = row.text(2)?;
    Ok(Project {
        name: row.text(0)?.to_owned(),
        public: row.int(1)? != 0,
        settings: serde_json::from_str(settings)
            .map_err(|_| Error::Invalid { what: "project's settings", value: settings.to_owned() })?,
        created_at: row.time(3)?,
        created_by: row.text(4)?.to_owned(),
    })
}
