//! Browser sessions and refresh tokens: what was proved once and is believed for a while.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::driver::{Reader, params};
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
}

impl Kind {
    /// The word for it in the catalog.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Refresh => "refresh",
        }
    }
}

impl std::str::FromStr for Kind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Browser, Self::Refresh].into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Row id.
    pub id: SessionId,
    /// What holds it.
    pub kind: Kind,
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

/// Finds a session by the SHA-256 of its secret in hex, also one that has ended.
pub async fn find(r: &Reader, kind: Kind, secret: &str) -> Result<Option<Session>> {
    r.query_opt(
        "SELECT id, kind, identity, detail, created_at, seen_at, expires_at FROM session WHERE secret = $1 AND kind = $2",
        params![secret, kind.as_str()],
        |row| {
            Ok(Session {
                id: SessionId(row.int(0)?),
                kind: row.parse(1, "kind of a session")?,
                identity: row.text(2)?.to_owned(),
                detail: row.text(3)?.to_owned(),
                created_at: row.time(4)?,
                seen_at: row.time(5)?,
                expires_at: row.time(6)?,
            })
        },
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
    /// Whom it proves, as JSON.
    pub identity: String,
    /// More, as a JSON object.
    pub detail: String,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}

/// Begins a session.
pub async fn insert(tx: &mut Tx, new: &New, now: Timestamp) -> Result<()> {
    tx.post(
        "INSERT INTO session (secret, kind, identity, detail, created_at, seen_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $5, $6)",
        params![&new.secret, new.kind.as_str(), &new.identity, &new.detail, now, new.expires_at],
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

/// Deletes sessions that have ended. Returns how many.
pub async fn forget(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM session WHERE expires_at <= $1", params![now]).await
}
