//! Tokens of others that are good once: those that were used, until they would have ended anyway.

use jiff::Timestamp;

use crate::driver::params;
use crate::error::Result;
use crate::tx::Tx;

/// Uses up a token, which a hash stands for. Returns false if that was done before.
pub async fn spend(tx: &mut Tx, digest: &str, expires_at: Timestamp, now: Timestamp) -> Result<bool> {
    tx.post("DELETE FROM spent WHERE expires_at < $1", params![now]).await?;
    let sql = "INSERT INTO spent (digest, expires_at) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING";
    Ok(tx.execute(sql, params![digest, expires_at]).await? == 1)
}
