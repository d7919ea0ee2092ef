//! What an export sees of the sealer's tables, and what a restore leaves in them.

use crate::driver::{Reader, params};
use crate::error::{Error, Result};
use crate::export::Event;
use crate::tx::Tx;

/// Lists events that wait for their position, behind the number `after`, in the order in which they are sealed. Position and hash
/// are empty.
pub(crate) async fn list_unsealed(r: &Reader, after: i64, limit: usize) -> Result<Vec<(i64, Event)>> {
    r.query(
        "SELECT number, id, at, kind, repository, tag, digest, caller, detail
           FROM event_unsealed WHERE number > $1 ORDER BY number LIMIT $2",
        params![after, limit],
        |row| {
            let event = Event {
                position: 0,
                id: row.text(1)?.to_owned(),
                at: row.int(2)?,
                kind: row.text(3)?.to_owned(),
                repository: row.text(4)?.to_owned(),
                tag: row.text_opt(5)?.map(ToOwned::to_owned),
                digest: row.text_opt(6)?.map(ToOwned::to_owned),
                caller: row.text(7)?.to_owned(),
                detail: row.text(8)?.to_owned(),
                hash: String::new(),
            };
            Ok((row.int(0)?, event))
        },
    )
    .await
}

/// Lets the sealer go on behind an event that was restored.
pub(crate) async fn advance_head(tx: &mut Tx, event: &Event) -> Result<()> {
    let hash = hex::decode(&event.hash)
        .map_err(|_| Error::Invalid { what: "event hash", value: event.hash.clone() })?;
    tx.post(
        "UPDATE event_head SET position = $1, hash = $2 WHERE one = 1 AND position < $1",
        params![event.position, &hash[..]],
    )
    .await?;
    Ok(())
}
