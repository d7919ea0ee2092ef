//! What exists: all SQL of Berth. State, events and jobs change together, in units of work.
//!
//! `registry` and `jobs` call this room; it calls nobody. One file per noun (`repository`, `blob`, `link`, `manifest`, `tag`,
//! `upload`, `event`, `job`, `trash`, `pull`, `trail`, …), each a set of functions that take a [`Reader`] or a [`Tx`]:
//! `find` (an `Option`), `get` (an error if absent), `list` (paged), `insert`, `move_to`, `delete`.

mod clock;
mod driver;
mod error;
mod generation;
mod hidden;
mod migrate;
mod postgres;
mod reader;
mod signals;
mod store;
mod tx;
mod writer;

pub mod access_generation;
pub mod account;
pub mod app_password;
pub mod binding;
pub mod blob;
pub mod event;
pub mod export;
pub mod hold;
pub mod identity;
pub mod imported;
pub mod job;
pub mod ledger;
pub mod link;
pub mod logout;
pub mod manifest;
pub mod mode;
pub mod moving;
pub mod old_password;
pub mod page;
pub mod project;
pub mod pull;
pub mod repository;
pub mod restore;
pub mod review;
pub mod robot;
pub mod robot_secret;
pub mod role;
pub mod sealed;
pub mod secret;
pub mod session;
pub mod signing_key;
pub mod spent;
pub mod standing;
pub mod subject;
pub mod tag;
pub mod trail;
pub mod trash;
pub mod upload;
pub mod vault_key;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use berth_oci::RepositoryName;
use tokio::sync::watch;

pub use clock::Clock;
pub use driver::Reader;
pub use error::{Error, Result};
pub use hidden::Hidden;
pub use migrate::Schema;
pub use postgres::{Outage, PostgresConfig, ReplicaStats};
pub use signals::WriterStats;
pub use tx::Tx;

use postgres::Role;
use store::{Arm, Kind, Store};

/// The catalog: in a file of one data directory, or in a database that several nodes share. Cheap to clone; the last clone to go
/// ends the writing after what it was given.
#[derive(Debug, Clone)]
pub struct Catalog(Arc<Store>);

impl Catalog {
    /// Opens or creates the database file and brings it to this binary's schema: for the one process that owns the data
    /// directory.
    pub fn open(file: &Path, clock: Clock) -> Result<Self> {
        Ok(Self(Arc::new(Store::open(file, Kind::Catalog, clock)?)))
    }

    /// Opens the database file of a data directory that another process may own: leaves its schema and its write-ahead log
    /// to that process.
    ///
    /// # Errors
    /// [`Error::Older`] and [`Error::Newer`] unless it has this binary's schema.
    pub fn join(file: &Path, clock: Clock) -> Result<Self> {
        Ok(Self(Arc::new(Store::join(file, Kind::Catalog, clock)?)))
    }

    /// Connects to a database as one of the nodes that serve it, and brings it to this binary's schema.
    ///
    /// # Errors
    /// [`Error::Config`] for settings that make no sense, [`Error::Unavailable`] if the database does not answer in time.
    pub async fn connect(settings: &PostgresConfig, clock: Clock) -> Result<Self> {
        Ok(Self(Arc::new(Store::connect(settings, Kind::Catalog, Role::Node, clock).await?)))
    }

    /// Connects to a database beside the nodes that serve it: leaves its schema, and the sealing of events, to them.
    ///
    /// # Errors
    /// As [`Catalog::connect`], and [`Error::Older`] and [`Error::Newer`] unless it has this binary's schema.
    pub async fn visit(settings: &PostgresConfig, clock: Clock) -> Result<Self> {
        Ok(Self(Arc::new(Store::connect(settings, Kind::Catalog, Role::Visitor, clock).await?)))
    }

    /// Reads which schema the catalog in a file has, and changes nothing.
    pub fn schema_of_file(file: &Path) -> Result<Schema> {
        migrate::schema(&reader::join_writer(file)?, migrate::MIGRATIONS)
    }

    /// Reads which schema the catalog in a database has, and changes nothing.
    pub async fn schema_of_database(settings: &PostgresConfig) -> Result<Schema> {
        postgres::schema(settings).await
    }

    /// Tells whether other nodes may be at work on the same catalog.
    pub fn is_shared(&self) -> bool {
        self.0.is_shared()
    }

    /// Runs `body` where it is awaited. On SQLite it must not wait for anything but the reader; on Postgres it holds a connection
    /// until it ends.
    pub async fn read<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&Reader) -> Result<T, E>,
        E: From<Error>,
    {
        self.0.read(body).await
    }

    /// Runs `body` as [`read`](Self::read) does, on a replica if one is configured that has everything committed before this call. It
    /// may run twice.
    pub async fn list<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&Reader) -> Result<T, E> + Clone,
        E: From<Error>,
    {
        match &self.0.arm {
            Arm::Embedded { readers, .. } => readers.read(body),
            Arm::Shared(database) => database.list(body).await,
        }
    }

    /// Returns how many lists a replica has answered; `None` where none is configured.
    pub fn replica_stats(&self) -> Option<ReplicaStats> {
        match &self.0.arm {
            Arm::Embedded { .. } => None,
            Arm::Shared(database) => database.replica_stats(),
        }
    }

    /// Runs `body` where it is awaited, with one view of the catalog from its first statement to its last, however many commits
    /// others make meanwhile. It must not wait for anything but the reader; what it writes to files may block. A day is the longest
    /// that it may take on Postgres.
    pub async fn snapshot<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&Reader) -> Result<T, E>,
        E: From<Error>,
    {
        self.0.snapshot(body).await
    }

    /// Does what [`Catalog::snapshot`] does on the embedded arm, on this thread, which may block as long as it likes.
    pub(crate) fn view<T>(&self, body: impl AsyncFnOnce(&Reader) -> Result<T>) -> Result<T> {
        match &self.0.arm {
            Arm::Embedded { readers, .. } => readers.snapshot(body),
            Arm::Shared(_) => Err(Error::Closed),
        }
    }

    /// Runs `body` as one unit of work: all of it becomes durable, or (on an error) none. Returns after the commit.
    ///
    /// The body runs to completion even if the caller goes away, and must not wait for anything but the transaction. It may run
    /// more than once, each time on the latest state as if the times before had not been; what it changes outside of the
    /// transaction must bear that.
    ///
    /// # Errors
    /// The body's own; [`Error::Busy`], [`Error::Unavailable`] and [`Error::Unknown`], after which the caller may try again.
    pub async fn write<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.0.write(body).await
    }

    /// Returns a number that changes whenever what `repository` serves may have changed; `None` while this node can't know, and
    /// so must serve nothing from memory.
    pub fn generation(&self, repository: &RepositoryName) -> Option<u64> {
        let known = match &self.0.arm {
            Arm::Embedded { .. } => true,
            Arm::Shared(database) => database.memory_is_good(),
        };
        known.then(|| self.0.signals.generations.get(repository))
    }

    /// Waits until no node serves from memory what was deleted before this call.
    pub async fn forgotten(&self) {
        if self.is_shared() {
            tokio::time::sleep(postgres::LEASE).await;
        }
    }

    /// Returns the last generation that is known, also while nobody can say whether it still stands: for what is served, and
    /// labelled, while the database can't be reached.
    pub fn last_generation(&self, repository: &RepositoryName) -> u64 {
        self.0.signals.generations.get(repository)
    }

    /// Returns how long ago this node last knew of everything withdrawn: zero where nobody else withdraws, `None` if it never did.
    pub fn last_heard(&self) -> Option<Duration> {
        match &self.0.arm {
            Arm::Embedded { .. } => Some(Duration::ZERO),
            Arm::Shared(database) => database.memory_age(),
        }
    }

    /// Returns since when the database can't be reached; `None` while it can, and for a file.
    pub fn outage(&self) -> Option<Outage> {
        match &self.0.arm {
            Arm::Embedded { .. } => None,
            Arm::Shared(database) => database.outage(),
        }
    }

    /// Follows the position of the last sealed event (0: none).
    pub fn sealed(&self) -> watch::Receiver<i64> {
        self.0.signals.sealed.subscribe()
    }

    /// Returns the clock that times in the catalog come from.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Counts commits, the units of work in them, and how often one had to run again.
    pub fn writer_stats(&self) -> WriterStats {
        self.0.signals.stats()
    }
}
