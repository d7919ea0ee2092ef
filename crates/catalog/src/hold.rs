//! A hold keeps jobs of one kind from beginning: it is such a job itself, at work under a lease of its own.
//!
//! Because at most one job of a kind runs at a time, no other is claimed while a hold lives, on any node. A holder that dies
//! leaves a lease that ends; whoever claims it then sees by [`is_hold`] that there is nothing to do.

use jiff::Timestamp;

use crate::driver::{Reader, params};
use crate::error::Result;
use crate::job::JobId;
use crate::tx::Tx;

/// What a hold has in place of a job's payload, whatever its kind.
const PAYLOAD: &str = r#"{"hold":true}"#;

/// Tells by its payload whether a job is a hold, which no handler is to see.
pub fn is_hold(payload: &str) -> bool {
    payload == PAYLOAD
}

/// Tells whether somebody holds jobs of `kind` off.
pub async fn is_held(r: &Reader, kind: &str, now: Timestamp) -> Result<bool> {
    let held = r
        .query_opt(
            "SELECT 1 FROM job
              WHERE finished_at IS NULL AND kind = $1 AND state = 'running' AND payload = $2 AND leased_until > $3
              LIMIT 1",
            params![kind, PAYLOAD, now],
            |_| Ok(()),
        )
        .await?;
    Ok(held.is_some())
}

/// Holds jobs of `kind` off until `until`, unless one is at work: then `None`. Renew and end it as its job, under `lease`, a name
/// never used before.
pub async fn acquire(
    tx: &mut Tx,
    kind: &str,
    lease: &str,
    until: Timestamp,
    now: Timestamp,
) -> Result<Option<JobId>> {
    let busy = tx
        .query_opt(
            "SELECT 1 FROM job WHERE finished_at IS NULL AND kind = $1 AND state = 'running' LIMIT 1",
            params![kind],
            |_| Ok(()),
        )
        .await?;
    if busy.is_some() {
        return Ok(None);
    }
    tx.query_opt(
        "INSERT INTO job (kind, payload, state, attempts, run_at, leased_by, leased_until, created_at)
         VALUES ($1, $2, 'running', 1, $3, $4, $5, $3) RETURNING id",
        params![kind, PAYLOAD, now, lease, until],
        |row| row.int(0).map(JobId),
    )
    .await
}
