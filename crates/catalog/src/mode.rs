//! What all nodes of the registry have been told to do: one row that each of them follows.

use jiff::Timestamp;

use crate::driver::{Reader, params, parse};
use crate::error::Result;
use crate::moving::State;
use crate::tx::Tx;

/// What all nodes have been told to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mode {
    /// Whether pushes and deletes are refused and background work rests.
    pub read_only: bool,
    /// When this was said; `None` if nobody ever said anything.
    pub changed_at: Option<Timestamp>,
}

/// Finds what the nodes have been told.
pub async fn find(r: &Reader) -> Result<Mode> {
    let found = r
        .query_opt("SELECT read_only, changed_at FROM mode WHERE one = 1", params![], |row| {
            Ok(Mode { read_only: row.int(0)? != 0, changed_at: Some(row.time(1)?) })
        })
        .await?;
    Ok(found.unwrap_or_default())
}

/// Tells the nodes whether to be read-only. Returns false, and leaves the time as it was, if they had been told so already.
pub async fn set_read_only(tx: &mut Tx, read_only: bool, now: Timestamp) -> Result<bool> {
    if find(tx).await?.read_only == read_only {
        return Ok(false);
    }
    tx.post(
        "INSERT INTO mode (one, read_only, changed_at) VALUES (1, $1, $2)
         ON CONFLICT (one) DO UPDATE SET read_only = excluded.read_only, changed_at = excluded.changed_at",
        params![i64::from(read_only), now],
    )
    .await?;
    Ok(true)
}

/// Why nothing is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Somebody said so.
    Told,
    /// The registry is moving, and this is the moment of the switch.
    Switching,
    /// The registry has moved.
    Moved,
    /// The registry that is moving here has not arrived.
    Arriving,
    /// A point of a backup is being restored here.
    Restoring,
}

/// Finds out whether nothing is to be written now, and why.
pub async fn rests(r: &Reader, now: Timestamp) -> Result<Option<Rest>> {
    let found = r
        .query_opt(
            "SELECT (SELECT read_only FROM mode WHERE one = 1), (SELECT state FROM moving WHERE one = 1),
                    (SELECT rests_till FROM moving WHERE one = 1)",
            params![],
            |row| {
                let state =
                    row.text_opt(1)?.map(|text| parse::<State>(text, "state of a move")).transpose()?;
                Ok((row.int_opt(0)?.unwrap_or(0) != 0, state, row.time_opt(2)?))
            },
        )
        .await?;
    Ok(match found {
        Some((_, Some(State::Gone), _)) => Some(Rest::Moved),
        Some((_, Some(State::Filling | State::Ready), _)) => Some(Rest::Arriving),
        Some((_, Some(State::Restoring), _)) => Some(Rest::Restoring),
        Some((true, ..)) => Some(Rest::Told),
        Some((false, Some(State::Resting), Some(until))) if until > now => Some(Rest::Switching),
        _ => None,
    })
}
