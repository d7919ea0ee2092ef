//! Secrets of robots: two at once while one takes over from the other.

use jiff::Timestamp;
use serde::Serialize;

use crate::access_generation::bump;
use crate::driver::{Reader, Row, params};
use crate::error::Result;
use crate::hidden::Hidden;
use crate::robot::RobotId;
use crate::tx::Tx;

/// A robot secret's row id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct RobotSecretId(pub i64);

/// A robot's secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RobotSecret {
    /// Row id.
    pub id: RobotSecretId,
    /// Whose it is.
    pub robot: RobotId,
    /// SHA-256 in hex, or a hash of Harbor's until its first use.
    pub secret: Hidden<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; `None` for as long as the robot lives.
    pub expires_at: Option<Timestamp>,
}

fn read(row: &Row<'_>) -> Result<RobotSecret> {
    Ok(RobotSecret {
        id: RobotSecretId(row.int(0)?),
        robot: RobotId(row.int(1)?),
        secret: Hidden::new(row.text(2)?.to_owned()),
        created_at: row.time(3)?,
        expires_at: row.time_opt(4)?,
    })
}

/// Finds a secret by its SHA-256 in hex.
pub async fn find(r: &Reader, secret: &str) -> Result<Option<RobotSecret>> {
    r.query_opt(
        "SELECT id, robot_id, secret, created_at, expires_at FROM robot_secret WHERE secret = $1",
        params![secret],
        read,
    )
    .await
}

/// Lists up to `limit` of a robot's, the newest first.
pub async fn list(r: &Reader, robot: RobotId, limit: usize) -> Result<Vec<RobotSecret>> {
    r.query(
        "SELECT id, robot_id, secret, created_at, expires_at FROM robot_secret
          WHERE robot_id = $1 ORDER BY id DESC LIMIT $2",
        params![robot.0, limit],
        read,
    )
    .await
}

/// Lists those that end at `since` or later, and when, in the order of their ids, behind `after`.
pub async fn list_ending(
    r: &Reader,
    since: Timestamp,
    after: RobotSecretId,
    limit: usize,
) -> Result<Vec<(RobotSecretId, Timestamp)>> {
    r.query(
        "SELECT id, expires_at FROM robot_secret WHERE expires_at >= $1 AND id > $2 ORDER BY id LIMIT $3",
        params![since, after.0, limit],
        |row| Ok((RobotSecretId(row.int(0)?), row.time(1)?)),
    )
    .await
}

/// Gives a robot another secret.
pub async fn insert(
    tx: &mut Tx,
    robot: RobotId,
    secret: &str,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<RobotSecretId> {
    let id = tx
        .query_opt(
            "INSERT INTO robot_secret (robot_id, secret, created_at, expires_at) VALUES ($1, $2, $3, $4) RETURNING id",
            params![robot.0, secret, now, expires_at],
            |row| row.int(0),
        )
        .await?;
    bump(tx).await?;
    Ok(RobotSecretId(id.unwrap_or_default()))
}

/// Ends all of a robot's secrets but one at a time, those that end later or never.
pub async fn end_others(tx: &mut Tx, robot: RobotId, but: RobotSecretId, at: Timestamp) -> Result<()> {
    tx.post(
        "UPDATE robot_secret SET expires_at = $1
          WHERE robot_id = $2 AND id <> $3 AND (expires_at IS NULL OR expires_at > $1)",
        params![at, robot.0, but.0],
    )
    .await?;
    bump(tx).await
}

/// Ends one of a robot's secrets at a time. Returns false if it ends before, or the robot has no such secret.
pub async fn end(tx: &mut Tx, robot: RobotId, id: RobotSecretId, at: Timestamp) -> Result<bool> {
    let ended = tx
        .execute(
            "UPDATE robot_secret SET expires_at = $1
              WHERE robot_id = $2 AND id = $3 AND (expires_at IS NULL OR expires_at > $1)",
            params![at, robot.0, id.0],
        )
        .await?;
    if ended == 1 {
        bump(tx).await?;
    }
    Ok(ended == 1)
}

/// Writes the same secret in another way, unless it was changed meanwhile.
pub async fn rehash(tx: &mut Tx, id: RobotSecretId, before: &str, secret: &str) -> Result<()> {
    let sql = "UPDATE robot_secret SET secret = $1 WHERE id = $2 AND secret = $3";
    tx.post(sql, params![secret, id.0, before]).await
}

/// Deletes those of a robot that ended before `before`: nobody asks any more why.
pub async fn forget(tx: &mut Tx, robot: RobotId, before: Timestamp) -> Result<u64> {
    let sql = "DELETE FROM robot_secret WHERE robot_id = $1 AND expires_at < $2";
    tx.execute(sql, params![robot.0, before]).await
}
