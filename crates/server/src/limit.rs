//! Rate limits: how often one client may begin something, on this node.
//!
//! A client is who it proved to be, and its address as long as it proved nothing. Each class of requests has a rate and a burst
//! (GCRA: a burst at once, then one at a time at the rate); what comes a little too early is held back rather than refused, because
//! most clients of registries give up at a 429. Nothing that has begun is limited: no bytes of a blob, no chunk or end of an
//! upload. Memory is a table of fixed size, however many addresses a flood comes from.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use berth_access::{Caller, Identity};
use ipnet::IpNet;
use tokio::time::Instant;

mod class;
mod config;
mod held;
mod login;
mod metrics;
mod name;
mod rate;
mod table;

pub(crate) use self::class::Class;
pub use self::config::{RateLimit, RateLimits};
use self::held::{Held, Place};
pub(crate) use self::login::Attempt;
use self::login::Logins;
pub(crate) use self::metrics::LimitMetrics;
pub use self::rate::Rate;
use self::table::{Bound, Table, Verdict};
use crate::overload::network_of;

/// Limits what clients begin. Each node counts for itself.
pub(crate) struct Limits {
    /// By class; logins have their own.
    tables: [Option<Table>; Class::ALL.len()],
    logins: Logins,
    exempt: Vec<IpNet>,
    exempt_callers: Vec<String>,
    held: Arc<Held>,
    hasher: RandomState,
    refused: [AtomicU64; Class::ALL.len()],
    delayed: [AtomicU64; Class::ALL.len()],
}

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy, Hash)]
enum Client<'a> {
    /// Nobody in particular, from there.
    Network(IpAddr),
    /// Somebody, by kind and name.
    Known(&'static str, &'a str),
}

/// A client began something too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limited {
    pub(crate) class: Class,
    /// When it may come again, in seconds.
    pub(crate) retry_after_seconds: u64,
}

/// A request that came a little too early. It counts already; dropped, it is simply gone.
#[derive(Debug)]
#[must_use]
pub(crate) struct Pause {
    until: Instant,
    _place: Place,
}

impl Limits {
    pub(crate) fn new(config: &RateLimits) -> Self {
        let table = |limit: &RateLimit| Bound::of(limit, config.nodes).map(Table::new);
        Self {
            tables: [table(&config.push), table(&config.pull), None, table(&config.api)],
            logins: Logins::new(&config.login, config.nodes),
            exempt: config.exempt.clone(),
            exempt_callers: config.exempt_callers.clone(),
            held: Arc::default(),
            hasher: RandomState::new(),
            refused: Default::default(),
            delayed: Default::default(),
        }
    }

    /// Counts a request that begins something of `class`; returns for how long it has to be held back, if it has.
    pub(crate) fn check(
        &self,
        class: Class,
        client: IpAddr,
        caller: &Caller,
    ) -> Result<Option<Pause>, Limited> {
        let Some(table) = &self.tables[class as usize] else { return Ok(None) };
        if self.exempts(client) || self.exempt_callers.iter().any(|name| name == caller.name()) {
            return Ok(None);
        }
        let now = Instant::now();
        let client = match caller.identity() {
            Identity::Anonymous => Client::Network(network_of(client)),
            identity => Client::Known(identity.kind(), identity.name()),
        };
        match table.take(&client, now, true) {
            Verdict::Now => Ok(None),
            Verdict::In(wait) => {
                let Some(place) = self.held.take(self.hasher.hash_one(client)) else {
                    table.give_back(&client, now);
                    return Err(self.refuse(class, wait));
                };
                self.delayed[class as usize].fetch_add(1, Ordering::Relaxed);
                Ok(Some(Pause { until: now + wait, _place: place }))
            }
            Verdict::TooEarly(wait) => Err(self.refuse(class, wait)),
        }
    }

    /// Whether a client's address lies in a network that is never limited.
    fn exempts(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        self.exempt.iter().any(|network| network.contains(&client))
    }

    fn refuse(&self, class: Class, wait: Duration) -> Limited {
        self.refused[class as usize].fetch_add(1, Ordering::Relaxed);
        // Rounded up: who comes back when told must get in.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Limited { class, retry_after_seconds: seconds.max(1) }
    }
}

impl Pause {
    /// Holds the request back. It should have no place among those at work meanwhile.
    pub(crate) async fn wait(self) {
        tokio::time::sleep_until(self.until).await;
    }
}

impl std::fmt::Debug for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limits").field("held", &self.held).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
