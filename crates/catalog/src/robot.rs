//! Robots: accounts of pipelines, with policies of their own.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::access_generation::bump;
use crate::binding;
use crate::driver::{Reader, Row, params};
use crate::error::{Error, Result};
use crate::tx::Tx;

/// A robot's row id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct RobotId(pub i64);

/// Robots read at a time.
const PAGE: usize = 500;
/// A use is noted again after this time.
const NOTED_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// A robot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Robot {
    /// Row id.
    pub id: RobotId,
    /// Its whole name: `robot+NAME` or `robot+PROJECT+NAME`.
    pub name: String,
    /// The project that it can't reach out of; empty for one of the system.
    pub project: String,
    /// What it is for.
    pub description: String,
    /// What it may do, as JSON in the form of a role's.
    pub policies: String,
    /// Who answers for it.
    pub owner: String,
    /// The names of those who know its secret, or may.
    pub known_to: Vec<String>,
    /// When it came to be.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// Since when it can't be used.
    pub disabled_at: Option<Timestamp>,
    /// Tokens from before are good for nothing.
    pub valid_after: Timestamp,
    /// About when it was used last.
    pub used_at: Option<Timestamp>,
}

/// A robot to make.
#[derive(Debug, Clone)]
pub struct New {
    /// Its whole name.
    pub name: String,
    /// Its project; empty for one of the system.
    pub project: String,
    /// What it is for.
    pub description: String,
    /// What it may do, as JSON.
    pub policies: String,
    /// Who answers for it.
    pub owner: String,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

fn read(row: &Row<'_>) -> Result<Robot> {
    let text = |column| row.text(column).map(ToOwned::to_owned);
    Ok(Robot {
        id: RobotId(row.int(0)?),
        name: text(1)?,
        project: text(2)?,
        description: text(3)?,
        policies: text(4)?,
        owner: text(5)?,
        known_to: names_of(row.text(6)?)?,
        created_at: row.time(7)?,
        expires_at: row.time_opt(8)?,
        disabled_at: row.time_opt(9)?,
        valid_after: row.time(10)?,
        used_at: row.time_opt(11)?,
    })
}

fn names_of(json: &str) -> Result<Vec<String>> {
    serde_json::from_str(json)
        .map_err(|_| Error::Invalid { what: "list of who knows a robot's secret", value: json.to_owned() })
}

/// Finds a robot by its whole name.
pub async fn find(r: &Reader, name: &str) -> Result<Option<Robot>> {
    r.query_opt(
        "SELECT id, name, project, description, policies, owner, known_to, created_at, expires_at, disabled_at, valid_after,
                used_at
           FROM robot WHERE name = $1",
        params![name],
        read,
    )
    .await
}

/// Finds a robot by its id.
pub async fn find_by_id(r: &Reader, id: RobotId) -> Result<Option<Robot>> {
    r.query_opt(
        "SELECT id, name, project, description, policies, owner, known_to, created_at, expires_at, disabled_at, valid_after,
                used_at
           FROM robot WHERE id = $1",
        params![id.0],
        read,
    )
    .await
}

/// Lists robots in the order of their names, behind `after`.
pub async fn list(r: &Reader, after: &str, limit: usize) -> Result<Vec<Robot>> {
    r.query(
        "SELECT id, name, project, description, policies, owner, known_to, created_at, expires_at, disabled_at, valid_after,
                used_at
           FROM robot WHERE name > $1 ORDER BY name LIMIT $2",
        params![after, limit],
        read,
    )
    .await
}

/// Lists the robots of one project (those of the system, if it is empty) in the order of their ids, behind `after`.
pub async fn list_of(r: &Reader, project: &str, after: RobotId, limit: usize) -> Result<Vec<Robot>> {
    r.query(
        "SELECT id, name, project, description, policies, owner, known_to, created_at, expires_at, disabled_at, valid_after,
                used_at
           FROM robot WHERE project = $1 AND id > $2 ORDER BY id LIMIT $3",
        params![project, after.0, limit],
        read,
    )
    .await
}

/// Tells whether there is a robot.
pub async fn any(r: &Reader) -> Result<bool> {
    Ok(r.query_opt("SELECT 1 FROM robot LIMIT 1", params![], |_| Ok(())).await?.is_some())
}

/// Tells whether a project, or the system, has so many robots or more.
pub async fn has_many(r: &Reader, project: &str, many: usize) -> Result<bool> {
    let sql = "SELECT id FROM robot WHERE project = $1 ORDER BY id LIMIT 1 OFFSET $2";
    let last = r.query_opt(sql, params![project, many.saturating_sub(1)], |row| row.int(0)).await?;
    Ok(last.is_some())
}

/// Makes a robot, whose secret its owner knows. Returns `None`, and changes nothing, if the name is taken.
pub async fn insert(tx: &mut Tx, new: &New, now: Timestamp) -> Result<Option<RobotId>> {
    let id = tx
        .query_opt(
            "INSERT INTO robot (name, project, description, policies, owner, created_at, expires_at, valid_after, known_to)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $6, $8) ON CONFLICT (name) DO NOTHING RETURNING id",
            params![
                &new.name,
                &new.project,
                &new.description,
                &new.policies,
                &new.owner,
                now,
                new.expires_at,
                &names_as_json(std::slice::from_ref(&new.owner)),
            ],
            |row| row.int(0),
        )
        .await?;
    if id.is_some() {
        bump(tx).await?;
    }
    Ok(id.map(RobotId))
}

fn names_as_json(names: &[String]) -> String {
    serde_json::Value::from(names).to_string()
}

/// Sets who knows its secret.
pub async fn set_known_to(tx: &mut Tx, id: RobotId, names: &[String]) -> Result<()> {
    let json = names_as_json(names);
    tx.post("UPDATE robot SET known_to = $1 WHERE id = $2", params![&json, id.0]).await
}

/// Forgets that somebody made robots, or knows secrets of some. Whoever may still log in goes on knowing them.
pub async fn forget(tx: &mut Tx, name: &str) -> Result<()> {
    tx.post("UPDATE robot SET owner = '' WHERE owner = $1", params![name]).await?;
    let mut last = String::new();
    loop {
        let page = list(tx, &last, PAGE).await?;
        let Some(end) = page.last() else { break };
        last.clone_from(&end.name);
        for robot in page {
            if robot.known_to.iter().any(|known| known == name) {
                let left: Vec<_> = robot.known_to.into_iter().filter(|known| known != name).collect();
                set_known_to(tx, robot.id, &left).await?;
            }
        }
    }
    bump(tx).await
}

/// Sets what it is for and what it may do.
pub async fn set_policies(tx: &mut Tx, id: RobotId, description: &str, policies: &str) -> Result<()> {
    let sql = "UPDATE robot SET description = $1, policies = $2 WHERE id = $3";
    tx.post(sql, params![description, policies, id.0]).await?;
    bump(tx).await
}

/// Sets when it ends.
pub async fn set_expiry(tx: &mut Tx, id: RobotId, expires_at: Option<Timestamp>) -> Result<()> {
    tx.post("UPDATE robot SET expires_at = $1 WHERE id = $2", params![expires_at, id.0]).await?;
    bump(tx).await
}

/// Disables a robot or enables it again. Tokens from before are good for nothing either way.
pub async fn set_disabled(tx: &mut Tx, id: RobotId, disabled: bool, now: Timestamp) -> Result<()> {
    let sql = "UPDATE robot SET disabled_at = $1, valid_after = $2 WHERE id = $3";
    tx.post(sql, params![disabled.then_some(now), now, id.0]).await?;
    bump(tx).await
}

/// Tells whether a use at `now` is to be noted.
pub fn is_news(robot: &Robot, now: Timestamp) -> bool {
    robot.used_at.is_none_or(|used| now.duration_since(used) >= NOTED_EVERY)
}

/// Notes a use.
pub async fn note_use(tx: &mut Tx, id: RobotId, now: Timestamp) -> Result<()> {
    tx.post("UPDATE robot SET used_at = $1 WHERE id = $2", params![now, id.0]).await
}

/// Deletes a robot with its secrets, and the roles that were given to its name.
pub async fn delete(tx: &mut Tx, id: RobotId) -> Result<()> {
    binding::delete_robot(tx, id).await?;
    tx.post("DELETE FROM robot_secret WHERE robot_id = $1", params![id.0]).await?;
    tx.post("DELETE FROM robot WHERE id = $1", params![id.0]).await?;
    bump(tx).await
}
