//! Connections: how the database is opened, and the pool that reads share.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, InterruptHandle, OpenFlags};
use tokio::sync::oneshot;

use crate::driver::Reader;
use crate::driver::sqlite::Session;
use crate::error::{Error, Result};
use crate::trail::search::IN_NETWORK;
use crate::writer::poll_once;

/// Another process (a command beside the server) may hold the write lock for a commit, not for longer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How far searches stand back behind what serves requests.
const NICE: i32 = 10;
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

    /// Runs `body` in one read transaction on a thread of its own that yields to others, and ends it after `time`, or when the caller
    /// goes away.
    pub(crate) async fn search<T, E, F>(&self, time: Duration, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&Reader) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let connection = self.connection()?;
        let end = End(connection.get_interrupt_handle());
        let (tell, told) = oneshot::channel();
        let work = move || {
            // Who may not be nice is as everybody else.
            let _ = rustix::process::nice(NICE);
            let reader = Reader::sqlite(Session::new(connection));
            let outcome = searched(&reader, body);
            // The caller may have gone.
            let _ = tell.send((outcome, reader.into_connection()));
        };
        std::thread::Builder::new()
            .name("trail-search".into())
            .spawn(work)
            .map_err(|error| Error::Database(format!("cannot start a thread: {error}")))?;
        let told = tokio::time::timeout(time, told).await;
        drop(end);
        let (outcome, connection) = told.map_err(|_| Error::TooSlow)?.map_err(|_| Error::Closed)?;
        self.idle.lock().extend(connection);
        outcome
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
        add_functions(&connection)?;
        Ok(connection)
    }
}

fn searched<T, E, F>(reader: &Reader, body: F) -> Result<T, E>
where
    F: AsyncFnOnce(&Reader) -> Result<T, E>,
    E: From<Error>,
{
    let session = reader.embedded()?;
    session.run("BEGIN", &[])?;
    let outcome = poll_once(body(reader));
    session.run("COMMIT", &[])?;
    outcome.unwrap_or_else(waited)
}

/// Ends what a connection is at when nobody waits for it any more; does nothing to one that is idle.
struct End(InterruptHandle);

impl Drop for End {
    fn drop(&mut self) {
        self.0.interrupt();
    }
}

/// Tells SQLite whether an address lies in a network, for which Postgres has a type.
fn add_functions(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    let lies_in = |context: &mut rusqlite::functions::Context<'_>| {
        let address = context.get_raw(0).as_str().ok().and_then(|text| text.parse::<IpAddr>().ok());
        let network = context.get_raw(1).as_str().ok().and_then(|text| text.parse::<IpNet>().ok());
        Ok(address.zip(network).map(|(address, network)| network.contains(&address)))
    };
    Ok(connection.create_scalar_function(IN_NETWORK, 2, flags, lies_in)?)
}

fn waited<T, E: From<Error>>() -> Result<T, E> {
    Err(Error::Panicked("the body of a read waited for something other than the catalog".into()).into())
}
