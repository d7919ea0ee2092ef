//! How many records there are of each hour, action and outcome: counted when they come and go, in the same unit of work.
//!
//! Ten million records are counted in seconds, the hours of a year in milliseconds. Searches use this where what they ask is told by
//! these three alone, and look at the records themselves for what is left at the edges of hours. It proves nothing: the chain does.

use std::collections::BTreeMap;

use super::record::Entry;
use crate::driver::{Reader, params};
use crate::error::Result;
use crate::tx::Tx;

/// One hour, in microseconds.
pub(super) const HOUR: i64 = 3_600_000_000;

/// Records that a unit of work brings.
#[derive(Debug, Default)]
pub(super) struct Brought(BTreeMap<(i64, String, String), i64>);

impl Brought {
    pub(super) fn add(&mut self, entry: &Entry) {
        let hour = entry.at.as_microsecond().div_euclid(HOUR) * HOUR;
        *self.0.entry((hour, entry.action.clone(), entry.outcome.clone())).or_default() += 1;
    }

    /// Counts them. The head must have been taken, so that nobody else counts meanwhile.
    pub(super) async fn save(self, tx: &mut Tx) -> Result<()> {
        for ((hour, action, outcome), records) in self.0 {
            tx.post(
                "INSERT INTO trail_hour (hour, action, outcome, records) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (hour, action, outcome) DO UPDATE SET records = trail_hour.records + excluded.records",
                params![hour, &action, &outcome, records],
            )
            .await?;
        }
        Ok(())
    }
}

/// Lists the actions that there are records of: reads the whole table, a few rows for each hour.
pub async fn actions(r: &Reader) -> Result<Vec<String>> {
    r.query(
        "SELECT action FROM trail_hour WHERE records > 0 GROUP BY action ORDER BY action",
        params![],
        |row| row.text(0).map(ToOwned::to_owned),
    )
    .await
}

/// Counts the records up to `position` no more, which are about to be deleted.
pub(super) async fn forget(tx: &mut Tx, position: i64) -> Result<()> {
    // Both databases divide towards zero, and an hour before 1970 begins below.
    tx.post(
        "INSERT INTO trail_hour (hour, action, outcome, records)
         SELECT at - ((at % 3600000000) + 3600000000) % 3600000000, action, outcome, -COUNT(*)
           FROM trail_record WHERE position <= $1 GROUP BY 1, 2, 3
         ON CONFLICT (hour, action, outcome) DO UPDATE SET records = trail_hour.records + excluded.records",
        params![position],
    )
    .await?;
    tx.post(
        "DELETE FROM trail_hour
          WHERE hour <= (SELECT MAX(at) FROM trail_record WHERE position <= $1) AND records = 0",
        params![position],
    )
    .await
}
