//! The watcher: hears what other nodes withdrew and sealed, and says until when this node's memory is good.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::time::{self, MissedTickBehavior, interval, sleep, timeout};

use super::Engine;
use super::connector::Connection;
use super::pool::jittered;
use crate::error::{Error, Failure, Remedy, Result};
use crate::generation;

/// Between two looks.
const TICK: Duration = Duration::from_millis(100);
/// How long what a look saw is good for, from its start. A withdrawal that is older is known to every node, or its memory is off.
pub(crate) const LEASE: Duration = Duration::from_millis(400);
/// A look that takes longer is given up.
const LIMIT: Duration = Duration::from_secs(2);
/// Between two tries to come through.
const PAUSE: Duration = Duration::from_millis(100);

/// Until when memory is good.
#[derive(Debug)]
pub(crate) struct Lease {
    start: Instant,
    /// Milliseconds after `start`; 0 for never yet.
    until: AtomicU64,
}

impl Lease {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), until: 0.into() }
    }

    pub(crate) fn stands(&self) -> bool {
        self.millis(Instant::now()) < self.until.load(Ordering::Acquire)
    }

    /// How long ago the last look began that saw anything; `None` if none did yet.
    pub(crate) fn age(&self) -> Option<Duration> {
        let until = self.until.load(Ordering::Acquire);
        let seen_at = (until != 0).then(|| Duration::from_millis(until).saturating_sub(LEASE))?;
        Some(self.start.elapsed().saturating_sub(seen_at))
    }

    fn extend(&self, seen_at: Instant) {
        self.until.store(self.millis(seen_at + LEASE), Ordering::Release);
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }
}

/// Watches for as long as the catalog is open.
pub(super) async fn run(engine: Arc<Engine>) {
    let mut failing = false;
    loop {
        let Err(failure) = follow(&engine, &mut failing).await;
        if failing {
            sleep(jittered(PAUSE)).await;
            continue;
        }
        // Once at once: mostly it was this one connection.
        tracing::warn!(error = %failure.error, "cannot hear from other nodes: serving nothing from memory");
        failing = true;
    }
}

/// Follows on one connection until that fails.
async fn follow(engine: &Engine, failing: &mut bool) -> Result<std::convert::Infallible, Failure> {
    let begun = time::Instant::now();
    let connection = match engine.pool.connector().connect().await {
        Ok(connection) => connection,
        Err(failure) => return Err(lost(engine, begun, failure)),
    };
    let mut seen = HashMap::new();
    // Another connection may lead to another server, which may know less than the last.
    let mut fresh = true;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let at = time::Instant::now();
        let Ok(looked) = timeout(LIMIT, look(engine, &connection, &mut seen, fresh)).await else {
            return Err(lost(engine, at, Failure::silent()));
        };
        looked?;
        engine.lease.extend(at.into_std());
        if let Some(lasted) = engine.pool.reach().find() {
            tracing::info!(seconds = lasted.as_secs_f64(), "the database can be reached again");
        }
        if std::mem::take(failing) {
            tracing::info!("hearing from other nodes again");
        }
        fresh = false;
    }
}

/// Says that nothing comes through; a server that is there and has no room for one more connection is not lost.
fn lost(engine: &Engine, since: time::Instant, failure: Failure) -> Failure {
    if matches!(failure.error, Error::Unavailable(_)) && engine.pool.reach().lose(since) {
        tracing::error!(error = %failure.error, "the database cannot be reached");
        // Whoever comes waits for the watcher, not on a connection that may be dead.
        engine.pool.clear();
    }
    failure
}

async fn look(
    engine: &Engine,
    connection: &Connection,
    seen: &mut HashMap<i64, i64>,
    fresh: bool,
) -> Result<(), Failure> {
    let sql = "SELECT pg_is_in_recovery(), (SELECT position FROM event_head WHERE one = 1),
                      (SELECT CAST(COALESCE(SUM(value), 0) AS BIGINT) FROM generation)";
    let rows = connection.query(sql, &[]).await?;
    let row = rows.first().ok_or_else(Failure::silent)?;
    if row.try_get(0)? {
        engine.pool.clear();
        let error = Error::Unavailable("it became a standby".into());
        return Err(Failure { error, remedy: Remedy::Reconnect });
    }
    let (sealed, sum): (Option<i64>, i64) = (row.try_get(1)?, row.try_get(2)?);
    if fresh || sum != seen.values().sum::<i64>() {
        let rows = connection.query("SELECT stripe, value FROM generation", &[]).await?;
        for row in rows {
            let (number, value): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
            if seen.insert(number, value) != Some(value) {
                engine.signals.generations.bump([generation::from_row(number)]);
            }
        }
    }
    if fresh {
        engine.signals.generations.bump_all();
    }
    engine.signals.advance_sealed(sealed.unwrap_or(0));
    Ok(())
}
