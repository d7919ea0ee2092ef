//! sqlx: a thread behind each connection, statements and rows through channels. Its checks and logs are off where they cost.

use std::path::Path;

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqlitePoolOptions, SqliteRow};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::catalog::{READER_PRAGMAS, STATEMENTS, WRITER_PRAGMAS};
use crate::driver::{Columns, Driver, Param, Result};
use crate::event::seal;
use crate::pull::{Stored, manifest_by_tag};
use crate::push::{Push, Unit};

/// Units that may wait for the writer.
const QUEUE_UNITS: usize = 4096;

impl Columns for SqliteRow {
    fn int(&self, column: usize) -> Result<i64> {
        Ok(self.try_get(column)?)
    }

    fn int_opt(&self, column: usize) -> Result<Option<i64>> {
        Ok(self.try_get(column)?)
    }

    fn text(&self, column: usize) -> Result<&str> {
        Ok(self.try_get(column)?)
    }

    fn bytes(&self, column: usize) -> Result<&[u8]> {
        Ok(self.try_get(column)?)
    }
}

impl Driver for SqliteConnection {
    async fn run(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<()> {
        bind(sql, params).execute(self).await?;
        Ok(())
    }

    async fn find<T>(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
        read: fn(&dyn Columns) -> Result<T>,
    ) -> Result<Option<T>> {
        let row = bind(sql, params).fetch_optional(self).await?;
        row.map(|row| read(&row)).transpose()
    }
}

fn bind(sql: &'static str, params: &[Param<'_>]) -> Query<'static, Sqlite, SqliteArguments> {
    params.iter().fold(sqlx::query(sql), |query, param| match *param {
        Param::Null => query.bind(None::<i64>),
        Param::Int(value) => query.bind(value),
        Param::Text(value) => query.bind(value),
        Param::Bytes(value) => query.bind(value),
    })
}

fn options(file: &Path, pragmas: &[(&'static str, &'static str)]) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging();
    pragmas.iter().fold(options, |options, &(name, value)| options.pragma(name, value))
}

async fn connect(options: SqliteConnectOptions, connections: u32) -> Result<SqlitePool> {
    let pool = SqlitePoolOptions::new()
        .min_connections(connections)
        .max_connections(connections)
        .test_before_acquire(false);
    Ok(pool.connect_with(options).await?)
}

/// A pool of the one connection that may write.
pub(crate) async fn writer_pool(file: &Path) -> Result<SqlitePool> {
    connect(options(file, &WRITER_PRAGMAS), 1).await
}

/// A pool of connections that read.
pub(crate) async fn reader_pool(file: &Path, connections: u32) -> Result<SqlitePool> {
    connect(options(file, &READER_PRAGMAS).read_only(true), connections).await
}

/// Pushes in a transaction of its own; returns once it is durable.
pub(crate) async fn push(pool: &SqlitePool, push: &Push) -> Result<()> {
    let mut events = Vec::new();
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    push.carry_out(&mut *transaction, &mut events).await?;
    seal(&mut *transaction, &events).await?;
    Ok(transaction.commit().await?)
}

/// Reads on one of the pool's connections.
pub(crate) async fn pull(pool: &SqlitePool, repository: &str, tag: &str) -> Result<Stored> {
    let mut connection = pool.acquire().await?;
    manifest_by_tag(&mut *connection, repository, tag).await
}

/// The way to the writer task.
#[derive(Debug, Clone)]
pub(crate) struct Writer(mpsc::Sender<Unit>);

impl Writer {
    /// Starts the task; it ends when the last writer is dropped. A commit takes up to `most` units of those that wait.
    pub(crate) async fn start(file: &Path, most: usize) -> Result<(Self, JoinHandle<Result<()>>)> {
        let connection = options(file, &WRITER_PRAGMAS).connect().await?;
        let (queue, units) = mpsc::channel(QUEUE_UNITS);
        Ok((Self(queue), tokio::spawn(write(connection, units, most))))
    }

    /// Returns once the push is durable.
    pub(crate) async fn push(&self, push: Push) -> Result<()> {
        let (unit, committed) = push.into_unit();
        self.0.try_send(unit)?;
        Ok(committed.await?)
    }
}

async fn write(mut connection: SqliteConnection, mut units: mpsc::Receiver<Unit>, most: usize) -> Result<()> {
    while let Some(first) = units.recv().await {
        commit_group(&mut connection, first, &mut units, most).await?;
    }
    Ok(connection.close().await?)
}

async fn commit_group(
    connection: &mut SqliteConnection,
    first: Unit,
    units: &mut mpsc::Receiver<Unit>,
    most: usize,
) -> Result<()> {
    let (mut events, mut carried_out) = (Vec::new(), Vec::new());
    let mut group = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut next = Some(first);
    while let Some(unit) = next {
        let mut savepoint = group.begin().await?;
        unit.push.carry_out(&mut *savepoint, &mut events).await?;
        savepoint.commit().await?;
        carried_out.push(unit);
        next = if carried_out.len() < most { units.try_recv().ok() } else { None };
    }
    seal(&mut *group, &events).await?;
    group.commit().await?;
    carried_out.into_iter().for_each(Unit::tell);
    Ok(())
}
