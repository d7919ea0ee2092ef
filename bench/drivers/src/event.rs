//! Events, and the log's end of a transaction: what a group appended gets its place, just before the commit.

use crate::driver::{Driver, Param, Result};

const CALLER: &str = "builder";

/// An event that waits for its place in the log.
#[derive(Debug)]
pub(crate) struct Event {
    /// Random, for those who must recognise a repeat.
    pub(crate) id: String,
    /// Microseconds since the epoch.
    pub(crate) at: i64,
    /// What happened.
    pub(crate) kind: &'static str,
    /// Where.
    pub(crate) repository: String,
    /// Which tag.
    pub(crate) tag: Option<String>,
    /// Which manifest.
    pub(crate) digest: String,
    /// More, as a JSON object.
    pub(crate) detail: String,
}

/// Inserts the events after those in the log. Their hashes are made up: hashing costs the same whatever the driver.
pub(crate) async fn seal<D: Driver>(driver: &mut D, events: &[Event]) -> Result<()> {
    let head = driver
        .find("SELECT position, hash FROM event ORDER BY position DESC LIMIT 1", &[], |row| {
            Ok((row.int(0)?, <[u8; 32]>::try_from(row.bytes(1)?)?))
        })
        .await?;
    let (mut position, mut hash) = head.unwrap_or((0, [0; 32]));
    for event in events {
        position += 1;
        hash.rotate_left(1);
        hash[0] ^= position.to_le_bytes()[0];
        driver
            .run(
                "INSERT INTO event (position, id, at, kind, repository, tag, digest, caller, detail, hash)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                &[
                    Param::Int(position),
                    Param::Text(&event.id),
                    Param::Int(event.at),
                    Param::Text(event.kind),
                    Param::Text(&event.repository),
                    event.tag.as_deref().map_or(Param::Null, Param::Text),
                    Param::Text(&event.digest),
                    Param::Text(CALLER),
                    Param::Text(&event.detail),
                    Param::Bytes(&hash),
                ],
            )
            .await?;
    }
    Ok(())
}
