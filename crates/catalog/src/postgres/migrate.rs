//! Brings a database to this binary's schema. One node at a time migrates; the others wait for it.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;
use tokio_postgres::types::Type;

use super::connector::Connection;
use super::pool::jittered;
use crate::error::{Failure, Remedy, Result};
use crate::migrate::{Schema, known};

/// Every migration in order, numbered as SQLite's.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/postgres/0001_core.sql"),
    include_str!("../../migrations/postgres/0002_mode.sql"),
    include_str!("../../migrations/postgres/0003_import.sql"),
    include_str!("../../migrations/postgres/0004_references.sql"),
    include_str!("../../migrations/postgres/0005_moving.sql"),
    include_str!("../../migrations/postgres/0006_import_source.sql"),
    include_str!("../../migrations/postgres/0007_access.sql"),
];
const _: () = assert!(MIGRATIONS.len() == crate::migrate::MIGRATIONS.len());

/// Tries to create the first table, which two nodes may do at the same moment.
const TRIES: u32 = 20;

/// Applies what is missing in one transaction.
pub(super) async fn migrate(connection: &Connection, now: Timestamp) -> Result<(), Failure> {
    create_table(connection).await?;
    connection.batch("BEGIN ISOLATION LEVEL READ COMMITTED; LOCK TABLE migration IN EXCLUSIVE MODE").await?;
    let applied = apply(connection, now).await;
    connection.batch(if applied.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
    applied
}

async fn apply(connection: &Connection, now: Timestamp) -> Result<(), Failure> {
    let found = version(connection).await?;
    Schema { found, known: known() }.refuse_newer().map_err(Failure::last)?;
    for (version, sql) in (1_i64..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        connection.batch(sql).await?;
        let insert = "INSERT INTO migration (version, applied_at) VALUES ($1, $2)";
        connection.query(insert, &[(&version, Type::INT8), (&now.as_microsecond(), Type::INT8)]).await?;
    }
    Ok(())
}

/// `IF NOT EXISTS` looks before it creates: who comes second at the same moment fails, and finds the table on the next try.
async fn create_table(connection: &Connection) -> Result<(), Failure> {
    let mut tries = 0;
    loop {
        let created = connection
            .batch("CREATE TABLE IF NOT EXISTS migration (version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL)")
            .await;
        let Err(error) = created else { return Ok(()) };
        let failure = Failure::from(error);
        tries += 1;
        if failure.remedy == Remedy::Reconnect || tries == TRIES {
            return Err(failure);
        }
        sleep(jittered(Duration::from_millis(50))).await;
    }
}

/// Returns the version found; 0 for a database without a catalog.
pub(super) async fn version(connection: &Connection) -> Result<i64, Failure> {
    let there = connection.query("SELECT 1 WHERE to_regclass('migration') IS NOT NULL", &[]).await?;
    if there.is_empty() {
        return Ok(0);
    }
    let rows = connection.query("SELECT COALESCE(MAX(version), 0) FROM migration", &[]).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(0))
}
