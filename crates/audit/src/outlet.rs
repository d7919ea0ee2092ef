//! Records on their way out of the trail: to lines in a file, and to Elasticsearch or OpenSearch.
//!
//! The trail is the spool: an outlet reads it behind a cursor that lies beside it, and moves the cursor when what it read has arrived. So
//! nothing is lost while the other side is away, however long, and nothing is kept twice. One node at a time does it. What was on its
//! way when a node died goes again, under the same id.

mod all;
mod bulk;
mod lines;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use berth_catalog::trail::{self, Record, Trail, cursor, head};
use berth_catalog::{Catalog, subject};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::watch;

pub use all::{OutletStat, OutletStats, Outlets};
pub use bulk::{Bulk, Ship};
pub use lines::{Lines, LinesTo};

use crate::names::pseudonyms;
use crate::search::document;

/// Records in one delivery.
const BATCH: usize = 500;
/// How often an outlet that has come to the end looks again.
const TICK: Duration = Duration::from_millis(250);
/// How long an outlet is another node's after it was last heard of.
const LEASE: Duration = Duration::from_mins(1);
/// How often whoever has it says so, if nothing is delivered meanwhile.
const RENEWAL: SignedDuration = SignedDuration::from_secs(20);
/// How long a node waits before it looks whether another has stopped.
const ASIDE: Duration = Duration::from_secs(5);
/// How long the end waits for what is on its way.
const GRACE: Duration = Duration::from_secs(5);
/// The first pause after a failure; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Why nothing was delivered, or not all. It is tried again for as long as it takes.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Undelivered(pub(crate) String);

/// Where records go.
pub trait Sink: Send + 'static {
    /// Delivers documents, each with its id. What has arrived is taken out of the list, and stays out when the rest fails.
    fn deliver(
        &mut self,
        documents: &mut Vec<(String, Value)>,
    ) -> impl Future<Output = Result<(), Undelivered>> + Send;
}

/// Where an outlet begins that has never been there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the first record that is still here.
    Beginning,
    /// With the next.
    Now,
}

/// What an outlet has done.
#[derive(Debug, Default)]
pub struct Progress {
    /// Records that have arrived.
    pub delivered: AtomicU64,
    /// Tries that failed.
    pub failures: AtomicU64,
}

/// Delivers records to one place, in their order.
#[derive(Debug)]
pub struct Outlet<S> {
    trail: Trail,
    catalog: Catalog,
    name: &'static str,
    owner: String,
    start: Start,
    sink: S,
    progress: Arc<Progress>,
    held: Option<Held>,
}

/// The outlet is this node's.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// The last record that has arrived.
    position: i64,
    /// When this node last said so.
    since: Timestamp,
}

impl<S: Sink> Outlet<S> {
    /// Delivers from `trail` to `sink`. How far it has come is kept under `name`.
    pub fn new(trail: Trail, catalog: Catalog, name: &'static str, start: Start, sink: S) -> Self {
        // Whoever holds a data directory is alone with it, and takes over at once from a process that died.
        let owner = if trail.is_shared() { uuid::Uuid::new_v4().to_string() } else { "here".to_owned() };
        Self { trail, catalog, name, owner, start, sink, progress: Arc::default(), held: None }
    }

    /// Returns what it has done so far, as long as it runs.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Delivers until `stop` says true; what is left then goes when it runs again.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut pause = FIRST_PAUSE;
        let mut is_failing = false;
        loop {
            let stopped = async {
                // The sender's end is the end, too.
                let _ = stop.wait_for(|stop| *stop).await;
            };
            let ended = {
                let mut round = pin!(self.round());
                tokio::select! {
                    ended = &mut round => Some(ended),
                    // What is on its way arrives, and is not sent again.
                    () = stopped => {
                        let _ = tokio::time::timeout(GRACE, round).await;
                        None
                    }
                }
            };
            let Some(round) = ended else { break };
            let wait = match round {
                Ok(wait) => {
                    if std::mem::take(&mut is_failing) {
                        tracing::info!(outlet = self.name, "audit records are delivered again");
                    }
                    pause = FIRST_PAUSE;
                    wait
                }
                Err(error) => {
                    self.progress.failures.fetch_add(1, Ordering::Relaxed);
                    if !std::mem::replace(&mut is_failing, true) {
                        let outlet = self.name;
                        tracing::warn!(%error, outlet, "audit records can't be delivered; they wait in the trail");
                    }
                    let wait = jittered(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    wait
                }
            };
            let stopped = stop.wait_for(|stop| *stop);
            if !wait.is_zero() && tokio::time::timeout(wait, stopped).await.is_ok() {
                break;
            }
        }
        let (name, owner) = (self.name, self.owner);
        let released = self.trail.write(async move |tx| cursor::release(tx, name, &owner).await).await;
        if let Err(error) = released {
            tracing::debug!(%error, outlet = name, "others have to wait for this outlet's lease to end");
        }
    }

    /// Delivers one batch. Returns how long to wait for the next.
    async fn round(&mut self) -> Result<Duration, Undelivered> {
        let Some(Held { position, .. }) = self.hold().await? else { return Ok(ASIDE) };
        let records = self.trail.read(async |r| trail::list(r, position, BATCH).await).await?;
        let Some(last) = records.last().map(|record| record.position) else { return Ok(TICK) };
        let is_full = records.len() == BATCH;
        let mut documents = self.documents(&records).await?;
        let count = documents.len();
        let delivered = self.sink.deliver(&mut documents).await;
        self.progress.delivered.fetch_add((count - documents.len()) as u64, Ordering::Relaxed);
        delivered?;
        // Whatever comes of it, the row says how far it is.
        self.held = None;
        let (name, owner, until) = (self.name, self.owner.clone(), self.until());
        let since = self.trail.clock().now();
        let advanced = self.trail.write(async move |tx| cursor::advance(tx, name, &owner, last, until).await);
        let advanced = advanced.await?;
        self.held = advanced.then_some(Held { position: last, since });
        Ok(if advanced && is_full { Duration::ZERO } else { TICK })
    }

    /// Makes sure that the outlet is this node's. The cursor is written only when it moves, and when the lease is to be renewed: an
    /// outlet that looks four times a second for what is new only reads.
    async fn hold(&mut self) -> Result<Option<Held>, Undelivered> {
        let now = self.trail.clock().now();
        let is_fresh = |held: &Held| (held.since..held.since + RENEWAL).contains(&now);
        if !self.held.as_ref().is_some_and(is_fresh) {
            self.held = None;
            self.held = self.take().await?.map(|position| Held { position, since: now });
        }
        Ok(self.held)
    }

    async fn take(&self) -> Result<Option<i64>, Undelivered> {
        let start = match self.start {
            Start::Beginning => 0,
            Start::Now => self.trail.read(async |r| head::find(r).await).await?.position,
        };
        let (name, owner, now, until) =
            (self.name, self.owner.clone(), self.trail.clock().now(), self.until());
        let taken = self.trail.write(async move |tx| cursor::take(tx, name, &owner, start, now, until).await);
        Ok(taken.await?)
    }

    fn until(&self) -> Timestamp {
        let lease = SignedDuration::try_from(LEASE).unwrap_or(SignedDuration::ZERO);
        self.trail.clock().now().checked_add(lease).unwrap_or(Timestamp::MAX)
    }

    /// Makes documents, with the names of persons as they are now.
    async fn documents(&self, records: &[Record]) -> Result<Vec<(String, Value)>, Undelivered> {
        let mentioned: Vec<String> = records.iter().flat_map(|record| pseudonyms(&record.entry)).collect();
        let names = self.catalog.read(async |r| subject::names_of(r, mentioned).await).await?;
        let documents = records.iter().map(|record| (record.entry.id.clone(), document(record, &names)));
        Ok(documents.collect())
    }
}

impl From<berth_catalog::Error> for Undelivered {
    fn from(error: berth_catalog::Error) -> Self {
        Self(error.to_string())
    }
}

/// Spreads a pause between its half and one and a half of it, so that nodes don't come back together.
fn jittered(pause: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    pause.mul_f64(0.5 + f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
