//! How long records stay: nobody can say less than half a year, and the deletion itself looks at each record's age.

use jiff::{SignedDuration, Timestamp};

use super::head::{self, Head};
use super::hour;
use super::record::hash;
use crate::driver::params;
use crate::error::{Error, Result};
use crate::tx::Tx;

/// How long records stay at least, in days: GB/T 22239-2019 8.1.4.3 and 网络安全法 21 ask for six months.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RetentionDays(u32);

impl RetentionDays {
    /// The least that there is.
    pub const LEAST: Self = Self(180);

    /// Takes a number of days; `None` for fewer than [`RetentionDays::LEAST`].
    pub fn new(days: u32) -> Option<Self> {
        (days >= Self::LEAST.0).then_some(Self(days))
    }

    /// Returns the number.
    pub fn get(self) -> u32 {
        self.0
    }

    /// Returns the time before which records may go.
    pub fn cutoff(self, now: Timestamp) -> Timestamp {
        now.checked_sub(SignedDuration::from_hours(i64::from(self.0) * 24)).unwrap_or(Timestamp::MIN)
    }
}

/// Deletes the first records up to `position`; the chain goes on from the last of them.
///
/// # Errors
/// [`Error::TooYoung`] if one of them is not as old as `days` say.
pub async fn delete_until(tx: &mut Tx, position: i64, days: RetentionDays, now: Timestamp) -> Result<Head> {
    let mut head = head::take(tx).await?;
    if position < head.first {
        return Ok(head);
    }
    let young = tx
        .query_opt(
            "SELECT position FROM trail_record WHERE position <= $1 AND at >= $2 ORDER BY position LIMIT 1",
            params![position, days.cutoff(now)],
            |row| row.int(0),
        )
        .await?;
    if let Some(position) = young {
        return Err(Error::TooYoung { position, days: days.get() });
    }
    let last = tx
        .query_opt("SELECT hash FROM trail_record WHERE position = $1", params![position], |row| hash(row, 0))
        .await?;
    head.before = last.ok_or_else(|| Error::Invalid {
        what: "audit trail",
        value: format!("record {position} is not there: `berth audit verify` says more"),
    })?;
    hour::forget(tx, position).await?;
    tx.post("DELETE FROM trail_record WHERE position <= $1", params![position]).await?;
    head.first = position + 1;
    head::save(tx, &head).await?;
    Ok(head)
}
