//! Wrong passwords that the catalog does not know of yet: they count at once, and are written while the answer is on its way, so that
//! the time of an answer doesn't tell whether there was anything to write.

use std::collections::HashMap;

use berth_catalog::account::{self, Account, AccountId};
use jiff::Timestamp;
use parking_lot::Mutex;

use super::Accounts;

/// What is on its way to the catalog, by account.
#[derive(Default)]
pub(super) struct Strikes(Mutex<HashMap<AccountId, Strike>>);

#[derive(Default)]
struct Strike {
    count: Count,
    /// Writes under way.
    writes: usize,
}

/// How many passwords were wrong in a row, and until when none is right.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Count {
    failures: u64,
    locked_until: Option<Timestamp>,
}

impl Count {
    fn or(self, other: Self) -> Self {
        if other.failures > self.failures { other } else { self }
    }

    /// Tells whether no password is right now.
    pub(super) fn is_locked(self, now: Timestamp) -> bool {
        self.locked_until.is_some_and(|until| now < until)
    }
}

impl Strikes {
    /// What is on its way. Asked before the row is read: what is not on its way any more by then, the row has.
    pub(super) fn under_way(&self, id: AccountId) -> Count {
        self.0.lock().get(&id).map(|strike| strike.count).unwrap_or_default()
    }
}

impl Accounts {
    /// Returns the count of an account whose row was read after `under_way`.
    pub(super) fn count(&self, account: &Account, under_way: Count) -> Count {
        let row = Count { failures: account.failures, locked_until: account.locked_until };
        row.or(under_way).or(self.0.strikes.under_way(account.id))
    }

    /// Returns the count of an account whose row was read just now.
    pub(super) fn count_of(&self, account: &Account) -> Count {
        self.count(account, Count::default())
    }

    /// Counts another wrong password. While an account is locked nothing counts: who guesses on can't keep its owner out for ever.
    pub(super) fn strike(&self, id: AccountId, count: Count, now: Timestamp) {
        if count.is_locked(now) {
            return;
        }
        let failures = count.failures.saturating_add(1);
        let locked_until = self.0.rules.passwords.locked_until(failures, now);
        {
            let mut strikes = self.0.strikes.0.lock();
            let strike = strikes.entry(id).or_default();
            strike.count = Count { failures, locked_until };
            strike.writes += 1;
        }
        let accounts = self.clone();
        tokio::spawn(async move {
            let unit = async move |tx: &mut _| account::strike(tx, id, failures, locked_until).await;
            if let Err(error) = accounts.0.catalog.write(unit).await {
                tracing::warn!(%error, account = id.0, "a wrong password was not counted");
            }
            let mut strikes = accounts.0.strikes.0.lock();
            if let Some(strike) = strikes.get_mut(&id) {
                strike.writes -= 1;
                if strike.writes == 0 {
                    strikes.remove(&id);
                }
            }
        });
    }
}
