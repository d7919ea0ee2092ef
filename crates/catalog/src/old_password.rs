//! Passwords that an account had, and may not have again.

use jiff::Timestamp;

use crate::account::AccountId;
use crate::driver::{Reader, params};
use crate::error::Result;
use crate::hidden::Hidden;
use crate::tx::Tx;

/// Lists hashes of the last passwords, the newest first.
pub async fn list(r: &Reader, account: AccountId, limit: usize) -> Result<Vec<Hidden<String>>> {
    r.query(
        "SELECT password FROM old_password WHERE account_id = $1 ORDER BY changed_at DESC LIMIT $2",
        params![account.0, limit],
        |row| Ok(Hidden::new(row.text(0)?.to_owned())),
    )
    .await
}

/// Remembers a password that is replaced at `now`, and forgets all but the newest `keep`.
pub async fn remember(
    tx: &mut Tx,
    account: AccountId,
    hash: &str,
    keep: usize,
    now: Timestamp,
) -> Result<()> {
    tx.post(
        "INSERT INTO old_password (account_id, changed_at, password) VALUES ($1, $2, $3)
         ON CONFLICT (account_id, changed_at) DO UPDATE SET password = excluded.password",
        params![account.0, now, hash],
    )
    .await?;
    tx.post(
        "DELETE FROM old_password WHERE account_id = $1 AND changed_at NOT IN
            (SELECT changed_at FROM old_password WHERE account_id = $1 ORDER BY changed_at DESC LIMIT $2)",
        params![account.0, keep],
    )
    .await
}
