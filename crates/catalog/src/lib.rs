//! What exists: all SQL of Berth. State, events and jobs change together, in units of work.
//!
//! `registry` and `jobs` call this room; it calls nobody. One file per noun (`repository`, `blob`, `link`, `manifest`, `tag`,
//! `upload`, `event`, `job`, `trash`, `pull`, …), each a set of functions that take a [`Reader`] or a [`Tx`]:
//! `find` (an `Option`), `get` (an error if absent), `list` (paged), `insert`, `move_to`, `delete`.

mod clock;
mod driver;
mod error;
mod generation;
mod migrate;
mod reader;
mod tx;
mod writer;

pub mod blob;
pub mod event;
pub mod export;
pub mod hold;
pub mod identity;
pub mod imported;
pub mod job;
pub mod ledger;
pub mod link;
pub mod manifest;
pub mod pull;
pub mod repository;
pub mod restore;
pub mod review;
pub mod tag;
pub mod trash;
pub mod upload;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use berth_oci::RepositoryName;
use rusqlite::Connection;
use tokio::sync::watch;

pub use clock::Clock;
pub use driver::Reader;
pub use error::{Error, Result};
pub use tx::Tx;

use reader::Readers;
use writer::{Shared, Writer};

/// The catalog of one data directory. Cheap to clone; the last clone to go ends the writer after what it was given.
#[derive(Debug, Clone)]
pub struct Catalog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    writer: Writer,
    readers: Readers,
    shared: Arc<Shared>,
    clock: Clock,
}

/// How the writer has worked since the start.
#[derive(Debug, Clone, Copy)]
pub struct WriterStats {
    /// Commits, each one fsync.
    pub commits: u64,
    /// Units of work in them.
    pub units: u64,
}

impl Catalog {
    /// Opens or creates the database file and brings it to this binary's schema: for the one process that owns the data
    /// directory.
    pub fn open(file: &Path, clock: Clock) -> Result<Self> {
        let connection = reader::open_writer(file)?;
        migrate::migrate(&connection, clock.now())?;
        Self::start(connection, file, clock, true)
    }

    /// Opens the database file of a data directory that another process may own: leaves its schema and its write-ahead log
    /// to that process.
    ///
    /// # Errors
    /// [`Error::Older`] and [`Error::Newer`] unless it has this binary's schema.
    pub fn join(file: &Path, clock: Clock) -> Result<Self> {
        let connection = reader::join_writer(file)?;
        migrate::check(&connection)?;
        Self::start(connection, file, clock, false)
    }

    fn start(connection: Connection, file: &Path, clock: Clock, owns: bool) -> Result<Self> {
        let (sealed, _) = watch::channel(event::last_position(&connection)?);
        let shared = Arc::new(Shared {
            generations: generation::Generations::new(),
            sealed,
            commits: 0.into(),
            units: 0.into(),
            owns,
        });
        let readers = Readers::new(file);
        let writer = Writer::start(connection, Arc::clone(&shared))?;
        Ok(Self(Arc::new(Inner { writer, readers, shared, clock })))
    }

    /// Runs `body` at once on this thread. It must not wait for anything but the reader.
    pub async fn read<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&Reader) -> Result<T, E>,
        E: From<Error>,
    {
        self.0.readers.read(body)
    }

    /// Runs `body` at once on this thread, with one view of the catalog from its first statement to its last, however many commits
    /// others make meanwhile. It must not wait for anything but the reader; what it writes to files may block.
    pub async fn snapshot<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&Reader) -> Result<T, E>,
        E: From<Error>,
    {
        self.0.readers.snapshot(body)
    }

    /// Runs `body` as one unit of work: all of it becomes durable, or (on an error) none. Returns after the commit.
    ///
    /// The body runs to completion even if the caller goes away, must not wait for anything but the transaction, and
    /// may share its commit with others.
    pub async fn write<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Tx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.0.writer.write(body).await
    }

    /// Returns a number that changes whenever what `repository` serves may have changed.
    pub fn generation(&self, repository: &RepositoryName) -> u64 {
        self.0.shared.generations.get(repository)
    }

    /// Follows the position of the last sealed event (0: none).
    pub fn sealed(&self) -> watch::Receiver<i64> {
        self.0.shared.sealed.subscribe()
    }

    /// Returns the clock that times in the catalog come from.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Counts commits and the units of work in them.
    pub fn writer_stats(&self) -> WriterStats {
        WriterStats {
            commits: self.0.shared.commits.load(Ordering::Relaxed),
            units: self.0.shared.units.load(Ordering::Relaxed),
        }
    }
}
