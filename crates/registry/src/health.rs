//! What a node can do while something that it needs is away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use berth_catalog::event;
use parking_lot::Mutex;
use tokio::time::timeout;

use crate::Registry;

/// How long the last word about the store is good for, at least.
const FRESH: Duration = Duration::from_secs(1);
/// A store that says nothing for this long counts as away.
const SILENCE: Duration = Duration::from_secs(2);
/// Whoever asks waits no longer for a newer word than the last.
const MOMENT: Duration = Duration::from_millis(300);

/// How a node stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Why the database can't be used; `None` if it can.
    pub database: Option<String>,
    /// Why the blob store can't be used.
    pub storage: Option<String>,
    /// Whether requests should come here: what is served is of use, and no other node could do more unless only this one is cut off,
    /// which no node can tell.
    pub is_ready: bool,
}

/// Why the store can't be used.
#[derive(Debug, Clone)]
struct Trouble {
    text: String,
    /// Of this node alone, not of a service that others miss as well.
    is_own: bool,
}

/// The last word about the store.
#[derive(Debug, Default)]
pub(crate) struct StoreState {
    last: Mutex<Option<(Instant, Option<Trouble>)>>,
    looking: AtomicBool,
}

impl Registry {
    /// Finds out what can be used. Answers within a third of a second but for the first time.
    ///
    /// A node stays ready while a service is away that all nodes share, for what it can serve without: the balancer would be left
    /// with nobody. Without its database that is what it may recall, and whoever waits for a failover to end.
    pub async fn health(&self) -> Health {
        let (database, serves) = self.look_at_database().await;
        let storage = self.look_at_store().await;
        let is_ready = serves && !storage.as_ref().is_some_and(|trouble| trouble.is_own);
        Health { database, storage: storage.map(|trouble| trouble.text), is_ready }
    }

    /// Returns why the database can't be used, and whether there is something to serve all the same.
    async fn look_at_database(&self) -> (Option<String>, bool) {
        let catalog = &self.0.catalog;
        if !catalog.is_shared() {
            let asked = catalog.read(async |r| event::last(r).await).await;
            let trouble = asked.err().map(|error| error.to_string());
            let serves = trouble.is_none();
            return (trouble, serves);
        }
        let Some(outage) = catalog.outage() else { return (None, true) };
        let recalls = catalog.last_heard().is_some_and(|heard| heard < self.0.cache.most);
        let text = format!("it has been out of reach for {:.1} s", outage.lasted.as_secs_f64());
        (Some(text), outage.waited_out || recalls)
    }

    async fn look_at_store(&self) -> Option<Trouble> {
        let state = &self.0.store;
        let last = state.last.lock().clone();
        let is_old = last.as_ref().is_none_or(|(at, _)| at.elapsed() >= FRESH);
        if is_old && !state.looking.swap(true, Ordering::AcqRel) {
            let registry = self.clone();
            let looking = tokio::spawn(async move { registry.ask_store().await });
            let patience = if last.is_some() { MOMENT } else { SILENCE };
            // Either way the last word is the answer.
            let _ = timeout(patience, looking).await;
        }
        state.last.lock().as_ref().and_then(|(_, trouble)| trouble.clone())
    }

    async fn ask_store(&self) {
        let trouble = match timeout(SILENCE, self.0.blobs.check()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                let is_own = !matches!(error, berth_blobs::Error::Unavailable(_));
                Some(Trouble { text: error.to_string(), is_own })
            }
            Err(_) => Some(Trouble { text: "it does not answer".into(), is_own: false }),
        };
        *self.0.store.last.lock() = Some((Instant::now(), trouble));
        self.0.store.looking.store(false, Ordering::Release);
    }
}
