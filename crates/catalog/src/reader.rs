//! Connections: how the database is opened, and the pool that reads share.

use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::driver::Reader;
use crate::driver::sqlite::Session;
use crate::error::{Error, Result};
use crate::writer::poll_once;

/// Another process (a command beside the server) may hold the write lock for a commit, not for longer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Statements kept prepared per connection; above the number of statements in this crate.
const STATEMENTS: usize = 128;

/// Opens the write connection: write-ahead log, every commit synced, foreign keys on.
pub(crate) fn open_writer(file: &Path) -> Result<Connection> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch(
        "PRAGMA page_size = 4096;
         PRAGMA journal_mode = WAL;
         PRAGMA wal_autocheckpoint = 8000;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    set_up_writer(connection)
}

/// Opens a write connection beside the owner's: makes no file, and copies nothing from the log back to the database.
pub(crate) fn join_writer(file: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.execute_batch("PRAGMA wal_autocheckpoint = 0;")?;
    set_up_writer(connection)
}

fn set_up_writer(connection: Connection) -> Result<Connection> {
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA cache_size = -16384;",
    )?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Read-only connections, as many as there are reads at one time.
#[derive(Debug)]
pub(crate) struct Readers {
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(crate) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), idle: Mutex::new(Vec::new()) }
    }

    /// Runs `body` at once, on this thread: a point read takes microseconds, a hop to another thread costs more.
    pub(crate) fn read<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&Reader) -> Result<T, E>,
        E: From<Error>,
    {
        let reader = Reader::sqlite(Session::new(self.connection()?));
        let outcome = poll_once(body(&reader));
        if let Some(connection) = reader.into_connection() {
            self.idle.lock().push(connection);
        }
        outcome.unwrap_or_else(waited)
    }

    /// Runs `body` in one read transaction. A connection whose transaction can't be ended is closed.
    pub(crate) fn snapshot<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&Reader) -> Result<T, E>,
        E: From<Error>,
    {
        let reader = Reader::sqlite(Session::new(self.connection()?));
        reader.embedded()?.run("BEGIN", &[])?;
        let outcome = poll_once(body(&reader));
        reader.embedded()?.run("COMMIT", &[])?;
        if let Some(connection) = reader.into_connection() {
            self.idle.lock().push(connection);
        }
        outcome.unwrap_or_else(waited)
    }

    fn connection(&self) -> Result<Connection> {
        let idle = self.idle.lock().pop();
        idle.map_or_else(|| self.open(), Ok)
    }

    fn open(&self) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.file, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -4096;")?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(connection)
    }
}

fn waited<T, E: From<Error>>() -> Result<T, E> {
    Err(Error::Panicked("the body of a read waited for something other than the catalog".into()).into())
}
