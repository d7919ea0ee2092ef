//! How many records there are of each hour, action and outcome: counted when they come and go, in the same unit of work.
//!
//! Ten million records are counted in seconds, the hours of a year in milliseconds. Searches use this where what they ask is told by
//! these three alone, and look at the records themselves for what is left at the edges of hours. It proves nothing: the chain does, and
//! whoever verifies that counts again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::record::Entry;
use crate::driver::{Reader, params};
use crate::error::Result;
use crate::tx::Tx;

/// One hour, in microseconds.
pub(super) const HOUR: i64 = 3_600_000_000;

/// Rows read at a time.
const PAGE: usize = 5000;

/// How many records there are of each hour, by its begin in microseconds, action and outcome.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Hours(BTreeMap<(i64, String, String), i64>);

impl Hours {
    /// Reads what is counted.
    pub async fn read(r: &Reader) -> Result<Self> {
        let mut all = BTreeMap::new();
        let mut last = (i64::MIN, String::new(), String::new());
        loop {
            let page = r
                .query(
                    "SELECT hour, action, outcome, records FROM trail_hour
                      WHERE (hour, action, outcome) > ($1, $2, $3) ORDER BY hour, action, outcome LIMIT $4",
                    params![last.0, &last.1, &last.2, PAGE],
                    |row| Ok(((row.int(0)?, row.text(1)?.to_owned(), row.text(2)?.to_owned()), row.int(3)?)),
                )
                .await?;
            let Some((end, _)) = page.last() else { break };
            last.clone_from(end);
            all.extend(page.into_iter().filter(|(_, records)| *records != 0));
        }
        Ok(Self(all))
    }

    /// Lists where this and another differ: begin, action, outcome, how many here and how many there.
    pub fn differences<'a>(&'a self, other: &'a Self) -> Vec<(Timestamp, &'a str, &'a str, i64, i64)> {
        let keys: BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        let of = |hours: &Self, key| hours.0.get(key).copied().unwrap_or(0);
        let compared = keys.into_iter().map(|key| (key, of(self, key), of(other, key)));
        let differ = compared.filter(|(_, here, there)| here != there);
        let begin = |hour| Timestamp::from_microsecond(hour).unwrap_or_default();
        differ
            .map(|((hour, action, outcome), here, there)| {
                (begin(*hour), action.as_str(), outcome.as_str(), here, there)
            })
            .collect()
    }

    /// Counts a record.
    pub fn add(&mut self, entry: &Entry) {
        let hour = entry.at.as_microsecond().div_euclid(HOUR) * HOUR;
        *self.0.entry((hour, entry.action.clone(), entry.outcome.clone())).or_default() += 1;
    }

    /// Adds these to what is counted. The head must have been taken, so that nobody else counts meanwhile.
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
