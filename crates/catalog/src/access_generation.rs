//! A number that grows with everything decisions rest on, so that every node sees that it has to look again.

use crate::driver::{Reader, params};
use crate::error::Result;
use crate::tx::Tx;

/// Finds the number.
pub async fn find(r: &Reader) -> Result<i64> {
    let found =
        r.query_opt("SELECT value FROM access_generation WHERE one = 1", params![], |row| row.int(0)).await?;
    Ok(found.unwrap_or_default())
}

/// Tells every node to look again once this unit has committed: for whoever changes a role, a binding, a project's openness, an
/// account or a robot.
pub async fn bump(tx: &mut Tx) -> Result<()> {
    tx.post(
        "INSERT INTO access_generation (one, value) VALUES (1, 1)
         ON CONFLICT (one) DO UPDATE SET value = access_generation.value + 1",
        params![],
    )
    .await
}
