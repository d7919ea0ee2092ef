//! Passwords that users made for their clients: random, so a plain hash finds them.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::access_generation::bump;
use crate::account::AccountId;
use crate::driver::{Reader, Row, params};
use crate::error::Result;
use crate::tx::Tx;

/// An application password's row id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct AppPasswordId(pub i64);

/// A use is noted again after this time.
const NOTED_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// An application password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppPassword {
    /// Row id.
    pub id: AppPasswordId,
    /// Whose it is.
    pub account: AccountId,
    /// What for, in its owner's words.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Since when it is good for nothing.
    pub revoked_at: Option<Timestamp>,
    /// About when it was used last.
    pub used_at: Option<Timestamp>,
}

fn read(row: &Row<'_>) -> Result<AppPassword> {
    Ok(AppPassword {
        id: AppPasswordId(row.int(0)?),
        account: AccountId(row.int(1)?),
        name: row.text(2)?.to_owned(),
        created_at: row.time(3)?,
        expires_at: row.time(4)?,
        revoked_at: row.time_opt(5)?,
        used_at: row.time_opt(6)?,
    })
}

/// Finds an application password by the SHA-256 of its secret, in hex.
pub async fn find(r: &Reader, secret: &str) -> Result<Option<AppPassword>> {
    r.query_opt(
        "SELECT id, account_id, name, created_at, expires_at, revoked_at, used_at FROM app_password WHERE secret = $1",
        params![secret],
        read,
    )
    .await
}

/// Lists up to `limit` of an account's, the newest first.
pub async fn list(r: &Reader, account: AccountId, limit: usize) -> Result<Vec<AppPassword>> {
    r.query(
        "SELECT id, account_id, name, created_at, expires_at, revoked_at, used_at
           FROM app_password WHERE account_id = $1 ORDER BY id DESC LIMIT $2",
        params![account.0, limit],
        read,
    )
    .await
}

/// Lists those that were revoked at `since` or later, and when, in the order of their ids, behind `after`.
pub async fn list_revoked(
    r: &Reader,
    since: Timestamp,
    after: AppPasswordId,
    limit: usize,
) -> Result<Vec<(AppPasswordId, Timestamp)>> {
    r.query(
        "SELECT id, revoked_at FROM app_password WHERE revoked_at >= $1 AND id > $2 ORDER BY id LIMIT $3",
        params![since, after.0, limit],
        |row| Ok((AppPasswordId(row.int(0)?), row.time(1)?)),
    )
    .await
}

/// Makes one.
pub async fn insert(
    tx: &mut Tx,
    account: AccountId,
    name: &str,
    secret: &str,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<AppPasswordId> {
    let id = tx
        .query_opt(
            "INSERT INTO app_password (account_id, name, secret, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5) RETURNING id",
            params![account.0, name, secret, now, expires_at],
            |row| row.int(0),
        )
        .await?;
    Ok(AppPasswordId(id.unwrap_or_default()))
}

/// Revokes one of an account's. Returns false if the account has none of that id that was not revoked before.
pub async fn revoke(tx: &mut Tx, account: AccountId, id: AppPasswordId, now: Timestamp) -> Result<bool> {
    let sql =
        "UPDATE app_password SET revoked_at = $1 WHERE id = $2 AND account_id = $3 AND revoked_at IS NULL";
    let revoked = tx.execute(sql, params![now, id.0, account.0]).await? == 1;
    if revoked {
        bump(tx).await?;
    }
    Ok(revoked)
}

/// Counts an account's that are good at `now`.
pub async fn count_alive(r: &Reader, account: AccountId, now: Timestamp) -> Result<u64> {
    let sql =
        "SELECT COUNT(*) FROM app_password WHERE account_id = $1 AND revoked_at IS NULL AND expires_at > $2";
    Ok(r.query_opt(sql, params![account.0, now], |row| row.size(0)).await?.unwrap_or_default())
}

/// Deletes of those that ended before `before` all but the newest `most`.
pub async fn forget_beyond(tx: &mut Tx, account: AccountId, before: Timestamp, most: usize) -> Result<()> {
    tx.post(
        "DELETE FROM app_password WHERE account_id = $1 AND (expires_at < $2 OR revoked_at < $2) AND id NOT IN (
             SELECT id FROM app_password WHERE account_id = $1 AND (expires_at < $2 OR revoked_at < $2)
              ORDER BY id DESC LIMIT $3)",
        params![account.0, before, most],
    )
    .await
}

/// Tells whether a use at `now` is to be noted.
pub fn is_news(found: &AppPassword, now: Timestamp) -> bool {
    found.used_at.is_none_or(|used| now.duration_since(used) >= NOTED_EVERY)
}

/// Notes a use.
pub async fn note_use(tx: &mut Tx, id: AppPasswordId, now: Timestamp) -> Result<()> {
    tx.post("UPDATE app_password SET used_at = $1 WHERE id = $2", params![now, id.0]).await
}

/// Deletes those that ended before `before`: nobody asks any more why.
pub async fn forget(tx: &mut Tx, account: AccountId, before: Timestamp) -> Result<u64> {
    let sql = "DELETE FROM app_password WHERE account_id = $1 AND (expires_at < $2 OR revoked_at < $2)";
    tx.execute(sql, params![account.0, before]).await
}
