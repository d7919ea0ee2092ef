//! Keeps collection from beginning while a backup copies blobs that its snapshot names.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use berth_catalog::job::{self, JobId, Outcome};
use berth_catalog::{Catalog, hold};
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;

use crate::error::Result;
use crate::{Step, Watch};

/// A backup that shows no sign of life this long holds nothing off any more.
const LEASE: SignedDuration = SignedDuration::from_secs(30);
/// How often the lease is renewed.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How often a collection that is under way is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Collection is held off while this lives.
#[derive(Debug)]
pub(crate) struct Hold {
    catalog: Catalog,
    id: JobId,
    lease: String,
    kept: Arc<AtomicBool>,
    renewal: JoinHandle<()>,
}

impl Hold {
    /// Waits for a collection under way to end, and lets no other begin. `kind` is the collector's.
    pub(crate) async fn acquire(catalog: &Catalog, kind: &'static str, watch: Watch<'_>) -> Result<Self> {
        let lease = uuid::Uuid::new_v4().simple().to_string();
        let id = loop {
            let (lease, clock) = (lease.clone(), catalog.clock().clone());
            let held = catalog.write(async move |tx| {
                let now = clock.now();
                hold::acquire(tx, kind, &lease, until(now), now).await
            });
            match held.await? {
                Some(id) => break id,
                None => watch(Step { phase: "waiting for the collection under way", done: 0, total: 0 }),
            }
            tokio::time::sleep(LOOK).await;
        };
        let kept = Arc::new(AtomicBool::new(true));
        let renewal = tokio::spawn(renew(catalog.clone(), id, lease.clone(), Arc::clone(&kept)));
        Ok(Self { catalog: catalog.clone(), id, lease, kept, renewal })
    }

    /// Lets collection begin again. Returns whether it was held off all the time.
    pub(crate) async fn release(self) -> Result<bool> {
        self.renewal.abort();
        let (id, lease, now) = (self.id, self.lease.clone(), self.catalog.clock().now());
        let outcome = Outcome::Done("{}".to_owned());
        let ended =
            self.catalog.write(async move |tx| job::finish(tx, id, &lease, &outcome, now).await).await?;
        Ok(ended && self.kept.load(Ordering::Relaxed))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

async fn renew(catalog: Catalog, id: JobId, lease: String, kept: Arc<AtomicBool>) {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        let (lease, clock) = (lease.clone(), catalog.clock().clone());
        let renewed =
            catalog.write(async move |tx| job::renew(tx, id, &lease, until(clock.now()), None).await).await;
        match renewed {
            Ok(true) => {}
            Ok(false) => kept.store(false, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "could not renew the hold on collection, trying again"),
        }
    }
}

fn until(now: Timestamp) -> Timestamp {
    now.saturating_add(LEASE).unwrap_or(Timestamp::MAX)
}
