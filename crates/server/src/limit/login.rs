//! Logins that fail, for each address and for each name.
//!
//! An attempt is paid for when it begins and paid back when it was right, so that a thousand at once are no way around. The same
//! credentials tried at the same time from one address are one attempt: clients send them with every one of their parallel requests.
//!
//! A name is limited wherever the attempts come from, however it is spelled, and whether or not it exists. Who has logged in with a name
//! from an address before is not kept out by what others do with that name elsewhere. Nor is whoever shows a secret that Berth makes up,
//! as robots do: it can't be guessed, so it counts for the address alone, and nobody can keep a robot out by its name.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use berth_access::Claim;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::config::RateLimit;
use super::name::folded;
use super::table::{Bound, Table, Verdict};
use super::{Class, Limited, Limits, network_of};

/// How long a login from an address is remembered.
const KNOWN_FOR: Duration = Duration::from_hours(24);

/// Counts failed logins.
#[derive(Debug)]
pub(super) struct Logins(Option<Tables>);

#[derive(Debug)]
struct Tables {
    addresses: Table,
    /// By what spellings have in common.
    names: Table,
    /// Pairs of an address and a name that were good, as it was spelled: what others share with it is not theirs.
    known: Table,
    /// How many requests try which credentials now.
    in_flight: Mutex<HashMap<u64, usize>>,
    hasher: RandomState,
}

impl Logins {
    pub(super) fn new(config: &RateLimit, nodes: u32) -> Self {
        Self(Bound::of(config, nodes).map(|bound| Tables {
            addresses: Table::new(bound),
            names: Table::new(bound),
            known: Table::new(Bound::once_in(KNOWN_FOR)),
            in_flight: Mutex::default(),
            hasher: RandomState::new(),
        }))
    }

    pub(super) fn forgotten(&self) -> u64 {
        self.0.as_ref().map_or(0, |tables| tables.addresses.forgotten() + tables.names.forgotten())
    }
}

/// A login under way, whose outcome is to be told. One that is dropped stays paid for: its client did not wait for the answer.
#[derive(Debug)]
#[must_use]
pub(crate) struct Attempt<'a>(Option<Flight<'a>>);

#[derive(Debug)]
struct Flight<'a> {
    tables: &'a Tables,
    network: IpAddr,
    name: &'a str,
    folded: String,
    credentials: u64,
    paid: Paid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paid {
    /// Another request that tries the same did.
    Nothing,
    ByAddress,
    ByAddressAndName,
}

impl Limits {
    /// Lets somebody try to log in by what Basic credentials claim.
    pub(crate) fn login_as<'a>(
        &'a self,
        client: IpAddr,
        claim: &'a Claim,
        credentials: &str,
    ) -> Result<Attempt<'a>, Limited> {
        self.attempt(client, &claim.name, credentials, !claim.made_up)
    }

    /// Lets somebody try to log in as `name` with a password that people choose.
    pub(crate) fn login<'a>(
        &'a self,
        client: IpAddr,
        name: &'a str,
        credentials: &str,
    ) -> Result<Attempt<'a>, Limited> {
        self.attempt(client, name, credentials, true)
    }

    fn attempt<'a>(
        &'a self,
        client: IpAddr,
        name: &'a str,
        credentials: &str,
        guessable: bool,
    ) -> Result<Attempt<'a>, Limited> {
        let Some(tables) = self.logins.0.as_ref().filter(|_| !self.exempts(client)) else {
            return Ok(Attempt(None));
        };
        let (network, folded) = (network_of(client), folded(name));
        let credentials = tables.hasher.hash_one((network, name, credentials));
        let mut in_flight = tables.in_flight.lock();
        let paid = if in_flight.contains_key(&credentials) {
            Paid::Nothing
        } else {
            let folded = guessable.then_some(folded.as_str());
            tables.pay(network, name, folded).map_err(|wait| self.refuse(Class::Login, wait))?
        };
        *in_flight.entry(credentials).or_default() += 1;
        Ok(Attempt(Some(Flight { tables, network, name, folded, credentials, paid })))
    }
}

impl Tables {
    /// Pays for an attempt, which counts for the name only if it may be a guess; returns how long it is too early for one.
    fn pay(&self, network: IpAddr, name: &str, guessed: Option<&str>) -> Result<Paid, Duration> {
        let now = Instant::now();
        if let Verdict::TooEarly(wait) = self.addresses.take(&network, now, false) {
            return Err(wait);
        }
        let Some(folded) = guessed.filter(|_| self.known.look(&(network, name), now).is_zero()) else {
            return Ok(Paid::ByAddress);
        };
        match self.names.take(&folded, now, false) {
            Verdict::TooEarly(wait) => {
                self.addresses.give_back(&network, now);
                Err(wait)
            }
            _ => Ok(Paid::ByAddressAndName),
        }
    }
}

impl Attempt<'_> {
    /// The credentials were right.
    pub(crate) fn succeeded(self) {
        if let Some(flight) = &self.0 {
            flight.pay_back();
            // It is too early for a second one as long as this one is remembered.
            let _ = flight.tables.known.take(&(flight.network, flight.name), Instant::now(), false);
        }
    }

    /// Nobody found out whether they are right.
    pub(crate) fn undecided(self) {
        if let Some(flight) = &self.0 {
            flight.pay_back();
        }
    }
}

impl Flight<'_> {
    fn pay_back(&self) {
        let now = Instant::now();
        if self.paid != Paid::Nothing {
            self.tables.addresses.give_back(&self.network, now);
        }
        if self.paid == Paid::ByAddressAndName {
            self.tables.names.give_back(&self.folded.as_str(), now);
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut in_flight = self.tables.in_flight.lock();
        if let Some(aboard) = in_flight.get_mut(&self.credentials) {
            *aboard -= 1;
            if *aboard == 0 {
                in_flight.remove(&self.credentials);
            }
        }
    }
}

#[cfg(test)]
impl Limits {
    pub(super) fn logins_in_flight(&self) -> usize {
        self.logins.0.as_ref().map_or(0, |tables| tables.in_flight.lock().len())
    }
}
