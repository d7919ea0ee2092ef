//! The side where rows arrive: one connection of its own, COPY, and a row that says how far it is, changed with what it tells of.

mod apply;
mod claim;
mod keys;

use std::collections::HashSet;
use std::pin::pin;

use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;

use self::apply::Pass;
use self::keys::Kept;
use super::PostgresConfig;
use super::connector::{Connection, Connector};
use crate::driver::{Row as Read, parse};
use crate::error::{Error, Failure, Result};
use crate::moving::table::Kind;
use crate::moving::{Fingerprint, Key, Moving, Point, Row, State, Table, Value, tables};

/// Everything is as slow as it is, and waits for as long as the source needs.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0; \
                     SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL maintenance_work_mem = '256MB'";

/// How far the filling of the target is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Tables that are in, but for what changed meanwhile.
    pub tables: usize,
    /// Last row of the next one that is in.
    pub after: Key,
    /// Rows of that one that are in.
    pub rows: u64,
    /// Foreign keys and indexes that are made again when all rows are there: in a fraction of the time.
    kept: Vec<Kept>,
}

impl Progress {
    /// Tells whether all that has not changed since the move began is in.
    pub fn is_loaded(&self) -> bool {
        self.tables >= tables().len()
    }
}

/// The catalog that rows arrive in. Whatever fails, drop it: its connection takes an open transaction with it.
#[derive(Debug)]
pub struct Target {
    connection: Connection,
    moving: Moving,
    progress: Progress,
    point: Point,
    pass: Option<Pass>,
}

impl Target {
    /// Connects to a database that has this binary's schema, and claims it for the move `id` from the store `source`. What an
    /// earlier move from there left, that was cancelled meanwhile, is removed. Nothing begins unless `may_begin`.
    ///
    /// # Errors
    /// [`Error::NotFree`] if it holds a registry, or another's move.
    pub async fn claim(
        settings: &PostgresConfig,
        id: &str,
        source: &str,
        worker: &str,
        (may_begin, now): (bool, jiff::Timestamp),
    ) -> Result<Self> {
        let connector = Connector::new(settings, Handle::current())?;
        let connection = connector.connect().await.map_err(|failure| failure.error)?;
        connection.batch(BEGIN).await?;
        let moving = claim::claim(&connection, id, source, worker, (may_begin, now)).await?;
        connection.batch("COMMIT").await?;
        let progress = serde_json::from_str(&moving.progress)
            .map_err(|error| Error::Invalid { what: "progress of a move", value: error.to_string() })?;
        let point = Point { change: moving.applied, event: claim::last_event(&connection).await? };
        Ok(Self { connection, moving, progress, point, pass: None })
    }

    /// How far the move is here.
    pub fn moving(&self) -> &Moving {
        &self.moving
    }

    /// How far the filling is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// How much of the source is here, once all tables are loaded.
    pub fn point(&self) -> Point {
        self.point
    }

    /// Takes in the next rows of a table that [`Progress`] says is next; none end it.
    ///
    /// # Errors
    /// [`Error::TakenOver`] when another command works the move.
    pub async fn load(&mut self, table: &Table, rows: &[Row]) -> Result<()> {
        let mut progress = self.progress.clone();
        self.begin().await?;
        if progress == Progress::default() {
            progress.kept = keys::drop_all(&self.connection).await?;
        }
        if let Some(last) = rows.last() {
            self.copy(table.name, table, rows).await?;
            progress.after = last.key(table);
            progress.rows += rows.len() as u64;
        } else {
            progress = Progress { tables: progress.tables + 1, kept: progress.kept, ..Progress::default() };
            self.connection.batch(&format!("ANALYZE {}", table.name)).await?;
        }
        self.note(&progress, self.point.change).await?;
        self.connection.batch("COMMIT").await?;
        self.progress = progress;
        if table.grows {
            self.point.event = rows.last().map_or(self.point.event, |row| row.key(table).first);
        }
        Ok(())
    }

    /// Makes foreign keys and indexes again, when the rows are those of one moment. Returns whether there was anything to do.
    pub async fn make_keys(&mut self) -> Result<bool> {
        if self.progress.kept.is_empty() {
            return Ok(false);
        }
        let progress = Progress { kept: Vec::new(), ..self.progress.clone() };
        self.begin().await?;
        keys::make(&self.connection, &self.progress.kept).await?;
        self.note(&progress, self.point.change).await?;
        self.connection.batch("COMMIT").await?;
        self.progress = progress;
        // So that rows can be counted without being read.
        let names: Vec<_> = tables().map(|table| table.name).collect();
        self.connection.batch(&format!("VACUUM (ANALYZE) {}", names.join(", "))).await?;
        Ok(true)
    }

    /// Reads a whole table, and says what it comes to.
    pub async fn fingerprint(&self, table: &Table) -> Result<Fingerprint> {
        let sql = format!("{} {} FROM {} ORDER BY {}", "SELECT", table.list(""), table.name, table.keys(""));
        self.connection.batch(BEGIN).await?;
        let whole = self.sum(table, &sql).await?;
        self.connection.batch("COMMIT").await?;
        Ok(whole)
    }

    /// Counts a table's rows.
    pub async fn count(&self, table: &Table) -> Result<u64> {
        let sql = format!("{} COUNT(*) FROM {}", "SELECT", table.name);
        let rows = self.connection.client().query(&sql, &[]).await?;
        let count: i64 = rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(0);
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Lists blobs that are damaged.
    pub async fn damaged(&self) -> Result<Vec<String>> {
        let sql = "SELECT digest FROM blob WHERE damaged_at IS NOT NULL ORDER BY digest";
        let rows = self.connection.query(sql, &[]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Lists every place in the store that rows name.
    pub async fn locations(&self) -> Result<HashSet<String>> {
        let sql = "SELECT location FROM blob WHERE location IS NOT NULL UNION ALL SELECT location FROM trash";
        let rows = self.connection.query(sql, &[]).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Lets nodes go on behind the last id, event and total, as soon as the target is opened.
    pub async fn make_ready(&mut self) -> Result<()> {
        self.begin().await?;
        claim::make_ready(&self.connection).await?;
        self.set_state(State::Ready).await?;
        self.connection.batch("COMMIT").await?;
        self.moving.state = State::Ready;
        Ok(())
    }

    /// Lets nodes serve it: the source is gone.
    pub async fn open(&mut self) -> Result<()> {
        self.begin().await?;
        self.set_state(State::Open).await?;
        self.connection.batch("COMMIT").await?;
        self.moving.state = State::Open;
        Ok(())
    }

    /// Removes everything that arrived, and the claim. The source must have ended its side of the move before: what has become
    /// the truth is not to go.
    ///
    /// # Errors
    /// [`Error::NotFree`] once it is open; [`Error::TakenOver`] when another command works the move.
    pub async fn clear(self) -> Result<()> {
        if self.begin().await? == State::Open {
            return Err(Error::NotFree(
                "the new database holds the registry, which has moved there: it stays as it is".into(),
            ));
        }
        claim::clear(&self.connection, &self.progress.kept).await?;
        Ok(self.connection.batch("COMMIT").await?)
    }

    /// Begins a transaction of the one command that works the move; returns its state.
    async fn begin(&self) -> Result<State> {
        self.connection.batch(BEGIN).await?;
        let sql = "SELECT state FROM moving WHERE one = 1 AND id = $1 AND worker = $2 FOR UPDATE";
        let (id, worker) = (&self.moving.id, &self.moving.worker);
        let found = self.connection.query(sql, &[(id, Type::TEXT), (worker, Type::TEXT)]).await?;
        parse(found.first().ok_or(Error::TakenOver)?.try_get(0)?, "state of a move")
    }

    async fn note(&self, progress: &Progress, applied: i64) -> Result<()> {
        let text = serde_json::to_string(progress)
            .map_err(|error| Error::Invalid { what: "progress of a move", value: error.to_string() })?;
        let sql = "UPDATE moving SET progress = $1, applied = $2 WHERE one = 1";
        self.connection.query(sql, &[(&text, Type::TEXT), (&applied, Type::INT8)]).await?;
        Ok(())
    }

    async fn set_state(&self, state: State) -> Result<()> {
        let sql = "UPDATE moving SET state = $1 WHERE one = 1";
        self.connection.query(sql, &[(&state.as_str(), Type::TEXT)]).await?;
        Ok(())
    }

    /// Streams rows into `into`, which has the columns of `table`.
    async fn copy(&self, into: &str, table: &Table, rows: &[Row]) -> Result<()> {
        let types: Vec<Type> = table.columns().map(|(_, kind)| kind.postgres()).collect();
        let values = rows.iter().map(|row| row.0.iter().map(Value::param));
        copy(&self.connection, &format!("{into} ({})", table.list("")), &types, values).await
    }

    async fn sum(&self, table: &Table, sql: &str) -> Result<Fingerprint> {
        let mut whole = Fingerprint::default();
        let none: [(&str, Type); 0] = [];
        let mut rows = pin!(self.connection.client().query_typed_raw(sql, none).await?);
        while let Some(row) = rows.try_next().await? {
            if let Some(row) = Row::read(table, &Read::postgres(&row), 0)? {
                whole.add(&row);
            }
        }
        Ok(whole)
    }
}

async fn copy<'a, R>(
    connection: &Connection,
    into: &str,
    types: &[Type],
    rows: impl Iterator<Item = R>,
) -> Result<()>
where
    R: ExactSizeIterator<Item = crate::driver::Param<'a>>,
{
    let sink = connection.client().copy_in(&format!("COPY {into} FROM STDIN BINARY")).await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, types));
    for row in rows {
        writer.as_mut().write_raw(row).await?;
    }
    writer.finish().await.map_err(|error| Failure::from(error).error)?;
    Ok(())
}

impl Kind {
    fn postgres(self) -> Type {
        match self {
            Self::Int => Type::INT8,
            Self::Text => Type::TEXT,
            Self::Bytes => Type::BYTEA,
        }
    }
}
