//! Brings a database to this binary's schema. One node at a time migrates; the others wait for it.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;
use tokio_postgres::types::Type;

use super::connector::Connection;
use super::pool::jittered;
use crate::error::{Failure, Remedy, Result};
use crate::migrate::{Schema, count};

/// Every migration in order, numbered as SQLite's.
const OF_CATALOG: &[&str] = &[
    include_str!("../../migrations/postgres/0001_core.sql"),
    include_str!("../../migrations/postgres/0002_mode.sql"),
    include_str!("../../migrations/postgres/0003_import.sql"),
    include_str!("../../migrations/postgres/0004_references.sql"),
    include_str!("../../migrations/postgres/0005_moving.sql"),
    include_str!("../../migrations/postgres/0006_import_source.sql"),
    include_str!("../../migrations/postgres/0007_access.sql"),
];
const OF_TRAIL: &[&str] = &[include_str!("../../migrations/trail/postgres/0001_trail.sql")];
const _: () = assert!(OF_CATALOG.len() == crate::migrate::MIGRATIONS.len());
const _: () = assert!(OF_TRAIL.len() == crate::migrate::OF_TRAIL.len());

/// Migrations, and the statements about the table that counts them.
pub(super) struct Series {
    migrations: &'static [&'static str],
    create: &'static str,
    lock: &'static str,
    insert: &'static str,
    is_there: &'static str,
    newest: &'static str,
}

/// Those of the catalog.
pub(super) const CATALOG: Series = Series {
    migrations: OF_CATALOG,
    create: "CREATE TABLE IF NOT EXISTS migration (version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL)",
    lock: "BEGIN ISOLATION LEVEL READ COMMITTED; LOCK TABLE migration IN EXCLUSIVE MODE",
    insert: "INSERT INTO migration (version, applied_at) VALUES ($1, $2)",
    is_there: "SELECT 1 WHERE to_regclass('migration') IS NOT NULL",
    newest: "SELECT COALESCE(MAX(version), 0) FROM migration",
};

/// Those of the audit trail in the same database.
pub(super) const TRAIL: Series = Series {
    migrations: OF_TRAIL,
    create: "CREATE TABLE IF NOT EXISTS trail_migration (version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL)",
    lock: "BEGIN ISOLATION LEVEL READ COMMITTED; LOCK TABLE trail_migration IN EXCLUSIVE MODE",
    insert: "INSERT INTO trail_migration (version, applied_at) VALUES ($1, $2)",
    is_there: "SELECT 1 WHERE to_regclass('trail_migration') IS NOT NULL",
    newest: "SELECT COALESCE(MAX(version), 0) FROM trail_migration",
};

impl Series {
    /// Returns the version that all of them make.
    pub(super) fn known(&self) -> i64 {
        count(self.migrations)
    }
}

/// Tries to create the first table, which two nodes may do at the same moment.
const TRIES: u32 = 20;

/// Applies what is missing in one transaction.
pub(super) async fn migrate(
    series: &'static Series,
    connection: &Connection,
    now: Timestamp,
) -> Result<(), Failure> {
    create_table(series, connection).await?;
    connection.batch(series.lock).await?;
    let applied = apply(series, connection, now).await;
    connection.batch(if applied.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
    applied
}

async fn apply(series: &'static Series, connection: &Connection, now: Timestamp) -> Result<(), Failure> {
    let found = version(series, connection).await?;
    Schema { found, known: series.known() }.refuse_newer().map_err(Failure::last)?;
    for (version, sql) in (1_i64..).zip(series.migrations).filter(|(version, _)| *version > found) {
        connection.batch(sql).await?;
        let applied_at = now.as_microsecond();
        connection.query(series.insert, &[(&version, Type::INT8), (&applied_at, Type::INT8)]).await?;
    }
    Ok(())
}

/// `IF NOT EXISTS` looks before it creates: who comes second at the same moment fails, and finds the table on the next try.
async fn create_table(series: &'static Series, connection: &Connection) -> Result<(), Failure> {
    let mut tries = 0;
    loop {
        let Err(error) = connection.batch(series.create).await else { return Ok(()) };
        let failure = Failure::from(error);
        tries += 1;
        if failure.remedy == Remedy::Reconnect || tries == TRIES {
            return Err(failure);
        }
        sleep(jittered(Duration::from_millis(50))).await;
    }
}

/// Returns the version found; 0 for a database without one.
pub(super) async fn version(series: &'static Series, connection: &Connection) -> Result<i64, Failure> {
    let there = connection.query(series.is_there, &[]).await?;
    if there.is_empty() {
        return Ok(0);
    }
    let rows = connection.query(series.newest, &[]).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(0))
}
