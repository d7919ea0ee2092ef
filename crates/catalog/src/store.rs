//! What lies below catalog and audit trail alike: a database, in a file or shared by nodes, and how units of work run on it.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use crate::clock::Clock;
use crate::driver::Reader;
use crate::error::{Error, Result};
use crate::postgres::{Database, PostgresConfig, Role};
use crate::reader::{self, Readers};
use crate::signals::Signals;
use crate::tx::Tx;
use crate::writer::Writer;
use crate::{event, migrate};

/// What lies in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Catalog,
    /// The audit trail. Where it lies beside the catalog, its units of work take the row of its head first, so they need not be
    /// serializable.
    Trail,
}

impl Kind {
    fn migrations(self) -> &'static [&'static str] {
        match self {
            Self::Catalog => migrate::MIGRATIONS,
            Self::Trail => migrate::OF_TRAIL,
        }
    }

    fn writer(self) -> &'static str {
        match self {
            Self::Catalog => "catalog-writer",
            Self::Trail => "trail-writer",
        }
    }
}

/// An open database. The last owner to go ends the writing after what it was given.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) arm: Arm,
    pub(crate) signals: Arc<Signals>,
    pub(crate) clock: Clock,
}

#[derive(Debug)]
pub(crate) enum Arm {
    Embedded { writer: Writer, readers: Readers },
    Shared(Database),
}

impl Store {
    /// Opens or creates a file and brings it to this binary's schema.
    pub(crate) fn open(file: &Path, kind: Kind, clock: Clock) -> Result<Self> {
        let connection = reader::open_writer(file)?;
        migrate::migrate(&connection, kind.migrations(), clock.now())?;
        Self::start(connection, file, kind, clock, true)
    }

    /// Opens a file that another process may own, and leaves its schema and its write-ahead log to that.
    pub(crate) fn join(file: &Path, kind: Kind, clock: Clock) -> Result<Self> {
        let connection = reader::join_writer(file)?;
        migrate::check(&connection, kind.migrations())?;
        Self::start(connection, file, kind, clock, false)
    }

    fn start(connection: Connection, file: &Path, kind: Kind, clock: Clock, owns: bool) -> Result<Self> {
        let sealed = if kind == Kind::Catalog { event::last_position(&connection)? } else { 0 };
        let signals = Arc::new(Signals::new(sealed));
        let readers = Readers::new(file);
        let writer = Writer::start(kind.writer(), connection, Arc::clone(&signals), owns)?;
        Ok(Self { arm: Arm::Embedded { writer, readers }, signals, clock })
    }

    /// Connects to a database that nodes share.
    pub(crate) async fn connect(
        settings: &PostgresConfig,
        kind: Kind,
        role: Role,
        clock: Clock,
    ) -> Result<Self> {
        let database = Database::open(settings, kind, role, clock.now()).await?;
        let signals = Arc::clone(database.signals());
        Ok(Self { arm: Arm::Shared(database), signals, clock })
    }

    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.arm, Arm::Shared(_))
    }

    pub(crate) async fn read<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&Reader) -> Result<T, E>,
        E: From<Error>,
    {
        match &self.arm {
            Arm::Embedded { readers, .. } => readers.read(body),
            Arm::Shared(database) => body(&database.reader()).await,
        }
    }

    pub(crate) async fn snapshot<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&Reader) -> Result<T, E>,
        E: From<Error>,
    {
        match &self.arm {
            Arm::Embedded { readers, .. } => readers.snapshot(body),
            Arm::Shared(database) => database.snapshot(body).await,
        }
    }

    pub(crate) async fn write<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        match &self.arm {
            Arm::Embedded { writer, .. } => writer.write(body).await,
            Arm::Shared(database) => database.write(body).await,
        }
    }
}
