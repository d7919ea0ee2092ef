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
    failures: u64,
    locked_until: Option<Timestamp>,
    /// Writes under way.
    writes: usize,
}

impl Strikes {
    /// Returns how many passwords were wrong in a row, and until when none is right.
    fn of(&self, account: &Account) -> (u64, Option<Timestamp>) {
        match self.0.lock().get(&account.id) {
            Some(strike) if strike.failures > account.failures => (strike.failures, strike.locked_until),
            _ => (account.failures, account.locked_until),
        }
    }
}

impl Accounts {
    /// Tells whether no password is right now.
    pub(super) fn is_locked(&self, account: &Account, now: Timestamp) -> bool {
        self.0.strikes.of(account).1.is_some_and(|until| now < until)
    }

    /// Counts a wrong password. While an account is locked nothing counts: who guesses on can't keep its owner out for ever.
    pub(super) fn strike(&self, account: &Account, now: Timestamp) {
        let (failures, locked_until) = self.0.strikes.of(account);
        if locked_until.is_some_and(|until| now < until) {
            return;
        }
        let (id, failures) = (account.id, failures.saturating_add(1));
        let locked_until = self.0.rules.passwords.locked_until(failures, now);
        {
            let mut strikes = self.0.strikes.0.lock();
            let strike = strikes.entry(id).or_default();
            *strike = Strike { failures, locked_until, writes: strike.writes + 1 };
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
