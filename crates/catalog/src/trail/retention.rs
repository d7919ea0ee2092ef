//! How long records stay: nobody can say less than half a year, and the deletion itself looks at each record's age.

use jiff::{SignedDuration, Timestamp};

use super::archived::{self, Archived};
use super::hour;
use super::record::hash;
use super::{checkpoint, head};
use crate::driver::{Reader, params};
use crate::error::{Error, Result};
use crate::tx::Tx;

/// Checkpoints that are asked how old a record is.
const WITNESSES: usize = 100;

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

/// Finds how far records may go, from the first one on and up to `limit`: the position of the last of them, or the one before the
/// first.
///
/// A record that is dated in the future says nothing about its age, and must not keep all behind it for ever. A checkpoint that was
/// signed over it does: it was there by then. Such a checkpoint counts only if no record and no checkpoint below it is dated later, so
/// a clock that was set back for a while makes nothing old.
pub async fn old_until(r: &Reader, limit: i64, days: RetentionDays, now: Timestamp) -> Result<i64> {
    let cutoff = days.cutoff(now);
    let mut old = head::find(r).await?.first - 1;
    while old < limit {
        let young = r
            .query_opt(
                "SELECT position, at FROM trail_record WHERE position > $1 AND position <= $2 AND at >= $3
                  ORDER BY position LIMIT 1",
                params![old, limit, cutoff],
                |row| Ok((row.int(0)?, row.time(1)?)),
            )
            .await?;
        let Some((position, at)) = young else { return Ok(limit) };
        if at <= now || !is_witnessed(r, position, cutoff, now).await? {
            return Ok(position - 1);
        }
        old = position;
    }
    Ok(old)
}

/// Tells whether a record was signed before `cutoff`.
async fn is_witnessed(r: &Reader, position: i64, cutoff: Timestamp, now: Timestamp) -> Result<bool> {
    for (signed, at) in checkpoint::list_signed(r, position, cutoff, WITNESSES).await? {
        let later = r
            .query_opt(
                "SELECT position FROM trail_record WHERE position <= $1 AND at + 0 > $2 AND at + 0 <= $3 LIMIT 1",
                params![signed, at, now],
                |row| row.int(0),
            )
            .await?;
        if later.is_none() && !checkpoint::is_behind_later(r, signed, at, now).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Deletes the records that a statement says to be archived, and notes the statement; the chain goes on from the last of them. Returns
/// false if the trail does not begin with them any more.
///
/// # Errors
/// [`Error::TooYoung`] if one of them is not as old as `days` say.
pub async fn remove(tx: &mut Tx, archived: &Archived, days: RetentionDays, now: Timestamp) -> Result<bool> {
    let mut head = head::take(tx).await?;
    if archived.first != head.first || archived.last < head.first {
        return Ok(false);
    }
    let old = old_until(tx, archived.last, days, now).await?;
    if old < archived.last {
        return Err(Error::TooYoung { position: old + 1, days: days.get() });
    }
    let last = tx
        .query_opt("SELECT hash FROM trail_record WHERE position = $1", params![archived.last], |row| {
            hash(row, 0)
        })
        .await?;
    if last != Some(archived.hash) {
        return Err(Error::Invalid {
            what: "audit trail",
            value: format!(
                "record {} is not what was archived: `berth audit verify` says more",
                archived.last
            ),
        });
    }
    archived::insert(tx, archived).await?;
    hour::forget(tx, archived.last).await?;
    tx.post("DELETE FROM trail_record WHERE position <= $1", params![archived.last]).await?;
    (head.first, head.before) = (archived.last + 1, archived.hash);
    head::save(tx, &head).await?;
    Ok(true)
}
