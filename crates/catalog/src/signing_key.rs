//! The keys that tokens are signed with: the newest that has no end signs, the others verify until theirs.

use jiff::Timestamp;

use crate::driver::{Reader, params};
use crate::error::Result;
use crate::hidden::Hidden;
use crate::tx::Tx;

/// More than there are at one time: those that have ended are removed.
const MOST: usize = 1000;

/// A key, its private half sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    id: i64,
    /// What names it, in the header of a token.
    pub kid: String,
    /// The private half: PKCS #8, sealed.
    pub sealed: Hidden<Vec<u8>>,
    /// The public half: a JSON Web Key.
    pub public: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it verifies nothing; `None` for the one that signs.
    pub gone_at: Option<Timestamp>,
}

/// Lists all keys, the newest first.
pub async fn list(r: &Reader) -> Result<Vec<SigningKey>> {
    r.query(
        "SELECT id, kid, sealed, public, created_at, gone_at FROM signing_key ORDER BY id DESC LIMIT $1",
        params![MOST],
        |row| {
            Ok(SigningKey {
                id: row.int(0)?,
                kid: row.text(1)?.to_owned(),
                sealed: Hidden::new(row.bytes(2)?.to_owned()),
                public: row.text(3)?.to_owned(),
                created_at: row.time(4)?,
                gone_at: row.time_opt(5)?,
            })
        },
    )
    .await
}

/// Adds a key that signs from now on.
pub async fn insert(tx: &mut Tx, kid: &str, sealed: &[u8], public: &str, now: Timestamp) -> Result<()> {
    tx.post(
        "INSERT INTO signing_key (kid, sealed, public, created_at) VALUES ($1, $2, $3, $4)",
        params![kid, sealed, public, now],
    )
    .await
}

/// Says from when on a key verifies nothing.
pub async fn retire(tx: &mut Tx, key: &SigningKey, gone_at: Timestamp) -> Result<()> {
    tx.post("UPDATE signing_key SET gone_at = $1 WHERE id = $2", params![gone_at, key.id]).await
}

/// Removes a key.
pub async fn delete(tx: &mut Tx, key: &SigningKey) -> Result<()> {
    tx.post("DELETE FROM signing_key WHERE id = $1", params![key.id]).await
}
