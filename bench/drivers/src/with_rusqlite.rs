//! rusqlite as the server uses it: one thread writes, reads run where they are asked for.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags, Row, ToSql};

use crate::catalog::{READER_PRAGMAS, STATEMENTS, WRITER_PRAGMAS};
use crate::driver::{Columns, Driver, Param, Result, poll_once};
use crate::event::seal;
use crate::pull::{Stored, manifest_by_tag};
use crate::push::{Push, Unit};

/// Units that may wait for the writer.
const QUEUE_UNITS: usize = 4096;

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Param::Null => ValueRef::Null,
            Param::Int(value) => ValueRef::Integer(value),
            Param::Text(value) => ValueRef::Text(value.as_bytes()),
            Param::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

impl Columns for Row<'_> {
    fn int(&self, column: usize) -> Result<i64> {
        Ok(self.get(column)?)
    }

    fn int_opt(&self, column: usize) -> Result<Option<i64>> {
        Ok(self.get(column)?)
    }

    fn text(&self, column: usize) -> Result<&str> {
        Ok(self.get_ref(column)?.as_str()?)
    }

    fn bytes(&self, column: usize) -> Result<&[u8]> {
        Ok(self.get_ref(column)?.as_blob()?)
    }
}

impl Driver for Connection {
    async fn run(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<()> {
        prepare(self, sql, params)?.raw_execute()?;
        Ok(())
    }

    async fn find<T>(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
        read: fn(&dyn Columns) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = prepare(self, sql, params)?;
        let mut rows = statement.raw_query();
        rows.next()?.map(|row| read(row)).transpose()
    }
}

fn prepare<'a>(connection: &'a Connection, sql: &str, params: &[Param<'_>]) -> Result<CachedStatement<'a>> {
    let mut statement = connection.prepare_cached(sql)?;
    for (index, param) in params.iter().enumerate() {
        statement.raw_bind_parameter(index + 1, param)?;
    }
    Ok(statement)
}

/// Opens the connection that writes.
pub(crate) fn open_writer(file: &Path) -> Result<Connection> {
    set_up(Connection::open(file)?, &WRITER_PRAGMAS)
}

fn open_reader(file: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    set_up(Connection::open_with_flags(file, flags)?, &READER_PRAGMAS)
}

fn set_up(connection: Connection, pragmas: &[(&str, &str)]) -> Result<Connection> {
    for (name, value) in pragmas {
        connection.execute_batch(&format!("PRAGMA {name} = {value}"))?;
    }
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// The way to the writer thread.
#[derive(Debug, Clone)]
pub(crate) struct Writer(SyncSender<Unit>);

impl Writer {
    /// Starts the thread; it ends when the last writer is dropped. A commit takes up to `most` units of those that wait.
    pub(crate) fn start(file: &Path, most: usize) -> Result<(Self, JoinHandle<Result<()>>)> {
        let connection = open_writer(file)?;
        let (queue, units) = sync_channel(QUEUE_UNITS);
        Ok((Self(queue), std::thread::spawn(move || write(connection, &units, most))))
    }

    /// Returns once the push is durable.
    pub(crate) async fn push(&self, push: Push) -> Result<()> {
        let (unit, committed) = push.into_unit();
        self.0.try_send(unit)?;
        Ok(committed.await?)
    }
}

fn write(mut connection: Connection, units: &Receiver<Unit>, most: usize) -> Result<()> {
    while let Ok(first) = units.recv() {
        let outcome = if most == 1 {
            poll_once(commit_one(&mut connection, first))
        } else {
            poll_once(commit_group(&mut connection, first, units, most))
        };
        outcome?;
    }
    Ok(())
}

async fn commit_one(connection: &mut Connection, unit: Unit) -> Result<()> {
    let mut events = Vec::new();
    connection.run("BEGIN IMMEDIATE", &[]).await?;
    unit.push.carry_out(connection, &mut events).await?;
    seal(connection, &events).await?;
    connection.run("COMMIT", &[]).await?;
    unit.tell();
    Ok(())
}

async fn commit_group(
    connection: &mut Connection,
    first: Unit,
    units: &Receiver<Unit>,
    most: usize,
) -> Result<()> {
    let (mut events, mut carried_out) = (Vec::new(), Vec::new());
    connection.run("BEGIN IMMEDIATE", &[]).await?;
    let mut next = Some(first);
    while let Some(unit) = next {
        connection.run("SAVEPOINT unit", &[]).await?;
        unit.push.carry_out(connection, &mut events).await?;
        connection.run("RELEASE unit", &[]).await?;
        carried_out.push(unit);
        next = if carried_out.len() < most { units.try_recv().ok() } else { None };
    }
    seal(connection, &events).await?;
    connection.run("COMMIT", &[]).await?;
    carried_out.into_iter().for_each(Unit::tell);
    Ok(())
}

/// Read-only connections, as many as there are reads at one time.
#[derive(Debug)]
pub(crate) struct Readers {
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// Opens nothing yet.
    pub(crate) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), idle: Mutex::new(Vec::new()) }
    }

    /// Reads at once, on this thread.
    pub(crate) fn pull(&self, repository: &str, tag: &str) -> Result<Stored> {
        let idle = self.idle.lock().pop();
        let mut connection = idle.map_or_else(|| open_reader(&self.file), Ok)?;
        let outcome = poll_once(manifest_by_tag(&mut connection, repository, tag));
        self.idle.lock().push(connection);
        outcome
    }
}
