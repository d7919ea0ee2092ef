//! Browser sessions, refresh tokens and tokens for the API: what was proved once and is believed for a while. And second factors that wait for their first
//! code.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::account::AccountId;
use crate::driver::{Reader, Row, params};
use crate::error::Result;
use crate::tx::Tx;

/// A session's row id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct SessionId(pub i64);

/// A use is noted again after this time.
const NOTED_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// What holds a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A browser, by its cookie.
    Browser,
    /// A client, by a refresh token.
    Refresh,
    /// Whoever calls the management API, by a token.
    Api,
    /// Nobody: it is a second factor that its owner has not confirmed yet.
    Enrolment,
}

impl Kind {
    /// The word for it in the catalog.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Refresh => "refresh",
            Self::Api => "api",
            Self::Enrolment => "enrolment",
        }
    }
}

impl std::str::FromStr for Kind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Browser, Self::Refresh, Self::Api, Self::Enrolment]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(())
    }
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Row id.
    pub id: SessionId,
    /// What holds it.
    pub kind: Kind,
    /// The user's name.
    pub owner: String,
    /// Fingerprint of the password's hash, of a user of the configuration.
    pub configured: Option<String>,
    /// Whom it proves, as JSON: kind, name, proof, groups.
    pub identity: String,
    /// More, as a JSON object.
    pub detail: String,
    /// When it began.
    pub created_at: Timestamp,
    /// About when it was used last.
    pub seen_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}

fn read(row: &Row<'_>) -> Result<Session> {
    let text = |column| row.text(column).map(ToOwned::to_owned);
    Ok(Session {
        id: SessionId(row.int(0)?),
        kind: row.parse(1, "kind of a session")?,
        owner: text(2)?,
        configured: row.text_opt(3)?.map(ToOwned::to_owned),
        identity: text(4)?,
        detail: text(5)?,
        created_at: row.time(6)?,
        seen_at: row.time(7)?,
        expires_at: row.time(8)?,
    })
}

/// Finds a session by the SHA-256 of its secret in hex, also one that has ended.
pub async fn find(r: &Reader, kind: Kind, secret: &str) -> Result<Option<Session>> {
    r.query_opt(
        "SELECT id, kind, owner, configured, identity, detail, created_at, seen_at, expires_at
           FROM session WHERE secret = $1 AND kind = $2",
        params![secret, kind.as_str()],
        read,
    )
    .await
}

/// Finds the newest of a user's, also one that has ended.
pub async fn find_newest(r: &Reader, kind: Kind, owner: &str) -> Result<Option<Session>> {
    r.query_opt(
        "SELECT id, kind, owner, configured, identity, detail, created_at, seen_at, expires_at
           FROM session WHERE owner = $1 AND kind = $2 ORDER BY seen_at DESC, id DESC LIMIT 1",
        params![owner, kind.as_str()],
        read,
    )
    .await
}

/// A session to begin.
#[derive(Debug, Clone)]
pub struct New {
    /// What holds it.
    pub kind: Kind,
    /// SHA-256 of its secret, in hex.
    pub secret: String,
    /// The user's name.
    pub owner: String,
    /// Fingerprint of the password's hash, of a user of the configuration.
    pub configured: Option<String>,
    /// Whom it proves, as JSON.
    pub identity: String,
    /// More, as a JSON object.
    pub detail: String,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}

/// Begins a session. Of the kind's that its owner has beside it, those go that nobody used for the longest time, so that `most` are left.
pub async fn insert(tx: &mut Tx, new: &New, most: usize, now: Timestamp) -> Result<()> {
    tx.post(
        "INSERT INTO session (secret, kind, owner, configured, identity, detail, created_at, seen_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)",
        params![
            &new.secret,
            new.kind.as_str(),
            &new.owner,
            new.configured.as_deref(),
            &new.identity,
            &new.detail,
            now,
            new.expires_at,
        ],
    )
    .await?;
    tx.post(
        "DELETE FROM session WHERE owner = $1 AND kind = $2 AND id NOT IN (
             SELECT id FROM session WHERE owner = $1 AND kind = $2 ORDER BY seen_at DESC, id DESC LIMIT $3)",
        params![&new.owner, new.kind.as_str(), most],
    )
    .await
}

/// Tells whether a use at `now` is to be noted.
pub fn is_news(session: &Session, now: Timestamp) -> bool {
    now.duration_since(session.seen_at) >= NOTED_EVERY
}

/// Notes a use.
pub async fn note_use(tx: &mut Tx, id: SessionId, now: Timestamp) -> Result<()> {
    tx.post("UPDATE session SET seen_at = $1 WHERE id = $2", params![now, id.0]).await
}

/// Ends a session. Returns false if there is none.
pub async fn delete(tx: &mut Tx, kind: Kind, secret: &str) -> Result<bool> {
    let sql = "DELETE FROM session WHERE secret = $1 AND kind = $2";
    Ok(tx.execute(sql, params![secret, kind.as_str()]).await? == 1)
}

/// Ends all sessions of a user's name.
pub async fn delete_of(tx: &mut Tx, owner: &str) -> Result<()> {
    tx.post("DELETE FROM session WHERE owner = $1", params![owner]).await
}

/// Ends all sessions of an account. A user of the configuration who has its name keeps others.
pub async fn delete_of_account(tx: &mut Tx, id: AccountId) -> Result<()> {
    let sql =
        "DELETE FROM session WHERE configured IS NULL AND owner = (SELECT name FROM account WHERE id = $1)";
    tx.post(sql, params![id.0]).await
}

/// Deletes sessions that have ended. Returns how many.
pub async fn forget(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM session WHERE expires_at <= $1", params![now]).await
}
