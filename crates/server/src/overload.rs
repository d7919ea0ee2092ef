//! Overload is shed early and fairly: lists first, then pushes, pulls last, and no client takes it all.
//!
//! A request takes a place among those at work, a transfer (a blob on its way out, a body on its way in) one among the
//! transfers, so that slow clients hold up nobody's lists and manifests. Pulls may fill all of either, pushes and lists only a
//! share. Who finds no place waits shortly, as one of few, and is then sent away with `Retry-After`. The way in and out
//! of a server that is not full is a handful of atomics; nothing on it is locked.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

mod class;
mod clients;
mod metrics;
mod pool;
mod queue;

pub(crate) use self::class::Class;
use self::class::Rank;
pub(crate) use self::clients::network_of;
use self::clients::{Client, Clients};
pub(crate) use self::metrics::OverloadMetrics;
use self::pool::{Full, Pool};
use self::queue::Queue;
use crate::config::Limits;

/// How often somebody who waits looks again by itself: whoever was woken may have found the place taken.
const LOOK: Duration = Duration::from_millis(20);

/// Lets requests in.
pub(crate) struct Overload {
    work: Pool,
    transfers: Pool,
    clients: Clients,
    queue: Queue,
    patience: Duration,
    in_flight: [AtomicU64; Class::ALL.len()],
    /// Turned away because there was no place, and because the client had its share.
    shed: [[AtomicU64; 2]; Class::ALL.len()],
}

/// A request was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shed {
    /// Whether others would have got in: the client has its share of the places already.
    pub(crate) client: bool,
    /// When to come again, in seconds: the less urgent, the later.
    pub(crate) retry_after_seconds: u64,
}

/// The place of a request that was let in; given up when dropped.
pub(crate) struct Slot {
    overload: Arc<Overload>,
    class: Class,
    client: Client,
    works: bool,
}

impl Overload {
    pub(crate) fn new(limits: &Limits) -> Self {
        let config = &limits.overload;
        Self {
            work: Pool::new(limits.requests, config),
            transfers: Pool::new(config.transfers, config),
            clients: Clients::new(),
            queue: Queue::new(config),
            patience: Duration::from_millis(config.queue_milliseconds),
            in_flight: Default::default(),
            shed: Default::default(),
        }
    }

    /// Lets a request in, at once or after a short wait.
    pub(crate) async fn enter(self: &Arc<Self>, class: Class, client: IpAddr) -> Result<Slot, Shed> {
        let client = self.clients.find(client);
        if let Err(full) = self.try_enter(class, client)
            && let Err(full) = self.wait(class, client, full).await
        {
            let by_client = full == Full::ForThisClient;
            self.shed[class as usize][usize::from(by_client)].fetch_add(1, Ordering::Relaxed);
            let retry_after_seconds = class.rank().retry_after_seconds();
            return Err(Shed { client: by_client, retry_after_seconds });
        }
        self.in_flight[class as usize].fetch_add(1, Ordering::Relaxed);
        Ok(Slot { overload: Arc::clone(self), class, client, works: class.works() })
    }

    fn try_enter(&self, class: Class, client: Client) -> Result<(), Full> {
        let rank = class.rank();
        if class.works() {
            self.work.enter(rank, client)?;
        } else if !self.work.has_room(rank) {
            // A body is taken in slowly, but it makes work.
            return Err(Full::ForAll);
        }
        if class.transfers()
            && let Err(full) = self.transfers.enter(rank, client)
        {
            if class.works() {
                self.leave_work(client);
            }
            return Err(full);
        }
        Ok(())
    }

    /// Waits for a place; returns why there was none.
    async fn wait(&self, class: Class, client: Client, mut why: Full) -> Result<(), Full> {
        let rank = class.rank();
        let Some(waiting) = self.queue.join(class, client) else { return Err(why) };
        let deadline = Instant::now() + self.patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(why);
            }
            // Either way it is time to look.
            let _ = tokio::time::timeout(left.min(LOOK), waiting.woken(rank)).await;
            match self.try_enter(class, client) {
                Ok(()) => return Ok(()),
                Err(full) => why = full,
            }
        }
    }

    fn leave_work(&self, client: Client) {
        self.work.leave(client);
        self.queue.wake();
    }
}

impl Slot {
    /// Notes that the answer is ready: what is left is to send it. Lists keep their place: there may be much to send.
    pub(crate) fn begin_responding(&mut self) {
        if self.works && self.class.rank() != Rank::List {
            self.works = false;
            self.overload.leave_work(self.client);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.overload.in_flight[self.class as usize].fetch_sub(1, Ordering::Relaxed);
        if self.works {
            self.overload.leave_work(self.client);
        }
        if self.class.transfers() {
            self.overload.transfers.leave(self.client);
            self.overload.queue.wake();
        }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("class", &self.class).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
