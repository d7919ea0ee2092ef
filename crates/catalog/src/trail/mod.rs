//! The audit trail: who did what, when, from where and with what outcome, every record once, hash-chained.
//!
//! It lies apart from the catalog, in a file of its own or in tables of its own behind connections of its own, so that what is
//! recorded never waits for what is pushed, nor the other way round. Several nodes may write: each unit of work takes the row of the
//! head first, gives its records their positions and hashes, and moves the head.

pub mod archived;
pub mod chain;
pub mod checkpoint;
pub mod cursor;
pub mod head;
mod hour;
mod record;
pub mod retention;
pub mod search;
pub mod taking;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use chain::{append, append_missing, copy_events};
pub use head::Head;
pub use hour::{Hours, actions};
pub use record::{Entry, Hash, Record};
pub use retention::RetentionDays;

use crate::clock::Clock;
use crate::driver::{Reader, params};
use crate::error::{Error, Result};
use crate::postgres::{PostgresConfig, Role};
use crate::store::{Arm, Kind, Store};
use crate::tx::Tx;

/// Connections to a database that is shared with the catalog, beside the catalog's own.
const CONNECTIONS: usize = 4;
/// What is recorded is kept elsewhere while the database does not answer, so nobody needs to wait for it for long.
const PATIENCE: Duration = Duration::from_secs(5);

/// The audit trail: in a file of one data directory, or in a database that several nodes share. Cheap to clone; the last clone to go
/// ends the writing after what it was given.
#[derive(Debug, Clone)]
pub struct Trail(Arc<Store>);

impl Trail {
    /// Opens or creates the file and brings it to this binary's schema: for the one process that owns the data directory.
    pub fn open(file: &Path, clock: Clock) -> Result<Self> {
        Ok(Self(Arc::new(Store::open(file, Kind::Trail, clock)?)))
    }

    /// Opens the file of a data directory that another process may own: leaves its schema and its write-ahead log to that process.
    ///
    /// # Errors
    /// [`Error::Older`] and [`Error::Newer`] unless it has this binary's schema.
    pub fn join(file: &Path, clock: Clock) -> Result<Self> {
        Ok(Self(Arc::new(Store::join(file, Kind::Trail, clock)?)))
    }

    /// Connects to the catalog's database as one of the nodes that serve it, and brings the trail's tables to this binary's schema.
    ///
    /// # Errors
    /// As [`Catalog::connect`](crate::Catalog::connect).
    pub async fn connect(settings: &PostgresConfig, clock: Clock) -> Result<Self> {
        Self::share(settings, Role::Node, clock).await
    }

    /// Connects beside the nodes that serve it, and leaves the schema to them.
    ///
    /// # Errors
    /// As [`Trail::connect`], and [`Error::Older`] and [`Error::Newer`] unless the tables have this binary's schema.
    pub async fn visit(settings: &PostgresConfig, clock: Clock) -> Result<Self> {
        Self::share(settings, Role::Visitor, clock).await
    }

    async fn share(settings: &PostgresConfig, role: Role, clock: Clock) -> Result<Self> {
        let patience = settings.patience.min(PATIENCE);
        let settings = PostgresConfig { pool: CONNECTIONS, patience, replica_url: None, ..settings.clone() };
        Ok(Self(Arc::new(Store::connect(&settings, Kind::Trail, role, clock).await?)))
    }

    /// Tells whether other nodes may be writing the same trail.
    pub fn is_shared(&self) -> bool {
        self.0.is_shared()
    }

    /// Runs `body` where it is awaited, as [`Catalog::read`](crate::Catalog::read) does.
    pub async fn read<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&Reader) -> Result<T, E>,
        E: From<Error>,
    {
        self.0.read(body).await
    }

    /// Runs `body` with one view of the trail from its first statement to its last, as
    /// [`Catalog::snapshot`](crate::Catalog::snapshot) does.
    pub async fn snapshot<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&Reader) -> Result<T, E>,
        E: From<Error>,
    {
        self.0.snapshot(body).await
    }

    /// Runs `body` as [`Trail::snapshot`] does, for `time` at most and where it holds up nobody: on a thread of its own that yields to
    /// others. It ends early when the caller goes away.
    ///
    /// # Errors
    /// The body's own, and [`Error::TooSlow`].
    pub async fn search<T, E, F>(&self, time: Duration, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&Reader) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        match &self.0.arm {
            Arm::Embedded { readers, .. } => readers.search(time, body).await,
            Arm::Shared(database) => database.search(time, body).await,
        }
    }

    /// Runs `body` as one unit of work, as [`Catalog::write`](crate::Catalog::write) does. It must take the head first, with
    /// [`head::take`] or a function that does: units of other nodes wait there.
    pub async fn write<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.0.write(body).await
    }

    /// Returns the clock that times in the trail come from.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }
}

/// Lists records behind `position`, in order.
pub async fn list(r: &Reader, position: i64, limit: usize) -> Result<Vec<Record>> {
    r.query(
        "SELECT position, id, at, action, outcome, actor, kind, proof, project, repository, tag, digest, status,
                request_id, client, agent, personal, detail, event, hash
           FROM trail_record WHERE position > $1 ORDER BY position LIMIT $2",
        params![position, limit],
        record::read,
    )
    .await
}

/// Lists records before `position`, the last one first.
pub async fn list_back(r: &Reader, position: i64, limit: usize) -> Result<Vec<Record>> {
    r.query(
        "SELECT position, id, at, action, outcome, actor, kind, proof, project, repository, tag, digest, status,
                request_id, client, agent, personal, detail, event, hash
           FROM trail_record WHERE position < $1 ORDER BY position DESC LIMIT $2",
        params![position, limit],
        record::read,
    )
    .await
}

/// Finds when something was last done with success.
pub async fn last_done(r: &Reader, action: &str) -> Result<Option<jiff::Timestamp>> {
    r.query_opt(
        "SELECT at FROM trail_record WHERE action = $1 AND outcome = 'success' ORDER BY at DESC LIMIT 1",
        params![action],
        |row| row.time(0),
    )
    .await
}

/// Lists an actor's records from `since` on, in order of time.
pub async fn list_of_actor(
    r: &Reader,
    actor: &str,
    since: jiff::Timestamp,
    limit: usize,
) -> Result<Vec<Record>> {
    r.query(
        "SELECT position, id, at, action, outcome, actor, kind, proof, project, repository, tag, digest, status,
                request_id, client, agent, personal, detail, event, hash
           FROM trail_record WHERE actor = $1 AND at >= $2 ORDER BY at, position LIMIT $3",
        params![actor, since, limit],
        record::read,
    )
    .await
}

/// Forgets in plain columns from where an actor called, of records from `from` on: what is sealed beside them stays, and so does the
/// chain. Returns where to go on, until there are no more.
pub async fn blank(
    tx: &mut Tx,
    actor: &str,
    from: jiff::Timestamp,
    batch: usize,
) -> Result<Option<jiff::Timestamp>> {
    head::take(tx).await?;
    let end = tx
        .query_opt(
            "SELECT at FROM trail_record WHERE actor = $1 AND at >= $2 ORDER BY at LIMIT 1 OFFSET $3",
            params![actor, from, batch],
            |row| row.time(0),
        )
        .await?;
    // Records of one moment are not parted, or a batch of only them would never end.
    tx.post(
        "UPDATE trail_record SET client = NULL, agent = NULL WHERE actor = $1 AND at >= $2 AND at <= $3",
        params![actor, from, end.unwrap_or(jiff::Timestamp::MAX)],
    )
    .await?;
    Ok(end.and_then(|end| end.checked_add(jiff::SignedDuration::from_micros(1)).ok()))
}
