//! A standby that answers lists, exactly: only when it has everything that the primary had written when the list was asked for.
//!
//! Asking the primary how far it has written costs one statement that touches no table; the list itself, which may be a thousand
//! rows, is the standby's work. A standby that is behind, away, another's, or on the branch of a primary that failed is passed over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout_at};

use super::config::PostgresConfig;
use super::connector::Connector;
use super::pool::{Lease, Pool};
use super::session::Session;
use super::transaction::within;
use crate::driver::Reader;
use crate::error::{Error, Failure, Result};

/// How far the primary has written, in which history, and of which database. What is not flushed yet counts: nobody has to wait for
/// that to be told that it is committed.
const WRITTEN: &str = "SELECT CAST(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS BIGINT),
                              SUBSTR(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8),
                              CAST(system_identifier AS TEXT) || '/' || current_database()
                         FROM pg_control_system()";
/// How far the standby has replayed the same; nothing on a server that is no standby.
const REPLAYED: &str = "SELECT CAST(pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0') AS BIGINT),
                               LPAD(UPPER(TO_HEX(timeline_id)), 8, '0'),
                               CAST(system_identifier AS TEXT) || '/' || current_database()
                          FROM pg_control_checkpoint(), pg_control_system()
                         WHERE pg_is_in_recovery()";
/// Each statement sees what was replayed before it, also when a pooler in between hands out connections by the transaction.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY";
/// Looks at a standby that is a moment behind.
const LOOKS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(5);
/// How long a standby that was of no use is left alone.
const REST: Duration = Duration::from_secs(1);
/// A list that takes a standby longer is the primary's.
const LONGEST: Duration = Duration::from_secs(2);
/// A standby that takes longer to say how far it is, is of no use.
const PATIENCE: Duration = Duration::from_millis(500);

/// A standby for lists.
#[derive(Debug)]
pub(super) struct Replica {
    pool: Arc<Pool>,
    start: Instant,
    /// Milliseconds after `start` until which it is left alone.
    rests_until: AtomicU64,
    served: AtomicU64,
    passed: AtomicU64,
}

/// How many lists a replica has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicaStats {
    /// Lists that it answered.
    pub served: u64,
    /// Lists that the primary answered, because the replica was behind or away.
    pub passed: u64,
}

/// A place in the write-ahead log of one history of one database.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    position: i64,
    timeline: String,
    database: String,
}

impl Place {
    fn covers(&self, other: &Self) -> bool {
        self.timeline == other.timeline && self.database == other.database && self.position >= other.position
    }
}

impl Replica {
    pub(super) fn new(settings: &PostgresConfig, url: &str, runtime: &Handle) -> Result<Self> {
        let connector = Connector::to_any(settings, url, runtime.clone())?;
        Ok(Self {
            pool: Arc::new(Pool::new(connector, settings.pool, settings.patience)),
            start: Instant::now(),
            rests_until: AtomicU64::new(0),
            served: AtomicU64::new(0),
            passed: AtomicU64::new(0),
        })
    }

    /// Runs `body` on the standby; `None` if it has to run elsewhere.
    pub(super) async fn list<T, E, F>(&self, primary: &Arc<Pool>, body: F) -> Option<T>
    where
        F: AsyncFnOnce(&Reader) -> Result<T, E>,
    {
        let rests = self.millis(Duration::ZERO) < self.rests_until.load(Ordering::Relaxed);
        let answer = if rests { None } else { self.try_list(primary, body).await };
        let count = if answer.is_some() { &self.served } else { &self.passed };
        count.fetch_add(1, Ordering::Relaxed);
        answer
    }

    async fn try_list<T, E, F>(&self, primary: &Arc<Pool>, body: F) -> Option<T>
    where
        F: AsyncFnOnce(&Reader) -> Result<T, E>,
    {
        let limit = Instant::now() + PATIENCE;
        // What is wrong with the primary, the primary's own path tells.
        let written = ask(primary, WRITTEN, limit).await.ok()??;
        let reader = match self.caught_up(&written, limit).await {
            Ok(Some(reader)) => reader,
            Ok(None) => return self.rest(),
            Err(failure) => {
                tracing::debug!(error = %failure.error, "the replica is passed over");
                return self.rest();
            }
        };
        let answer = body(&reader).await.ok();
        if reader.shared().is_some_and(|session| session.trouble().is_some()) {
            return self.rest();
        }
        if let Some(mut lease) = reader.shared().and_then(Session::take_lease)
            && within(Instant::now() + PATIENCE, &lease, "COMMIT").await.is_ok()
        {
            lease.set_fit(true);
        }
        answer
    }

    /// Returns a reader that sees all that was written; `None` if the standby is not so far.
    async fn caught_up(&self, written: &Place, limit: Instant) -> Result<Option<Reader>, Failure> {
        let mut lease = self.pool.get(limit).await?;
        // Nobody gets the connection while its transaction is open.
        lease.set_fit(false);
        within(limit, &lease, BEGIN).await?;
        for look in 0..LOOKS {
            sleep(PAUSE * look).await;
            let replayed = read(&lease, REPLAYED, limit).await?;
            if replayed.is_some_and(|replayed| replayed.covers(written)) {
                let deadline = Instant::now() + self.pool.patience().min(LONGEST);
                return Ok(Some(Reader::postgres(Session::working(Arc::clone(&self.pool), lease, deadline))));
            }
        }
        within(limit, &lease, "ROLLBACK").await?;
        lease.set_fit(true);
        Ok(None)
    }

    fn rest<T>(&self) -> Option<T> {
        self.rests_until.store(self.millis(REST), Ordering::Relaxed);
        None
    }

    fn millis(&self, ahead: Duration) -> u64 {
        u64::try_from((self.start.elapsed() + ahead).as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn stats(&self) -> ReplicaStats {
        ReplicaStats {
            served: self.served.load(Ordering::Relaxed),
            passed: self.passed.load(Ordering::Relaxed),
        }
    }

    /// Lets go of its connections.
    pub(super) fn clear(&self) {
        self.pool.clear();
    }
}

async fn ask(pool: &Arc<Pool>, sql: &'static str, limit: Instant) -> Result<Option<Place>, Failure> {
    let mut lease = pool.get(limit).await?;
    lease.set_fit(false);
    let place = read(&lease, sql, limit).await?;
    lease.set_fit(true);
    Ok(place)
}

async fn read(lease: &Lease, sql: &'static str, limit: Instant) -> Result<Option<Place>, Failure> {
    let asked = timeout_at(limit, lease.connection().query(sql, &[])).await;
    let rows = asked.map_err(|_| Failure::last(Error::Busy))??;
    let Some(row) = rows.first() else { return Ok(None) };
    let (position, timeline, database) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(Some(Place { position, timeline, database }))
}
