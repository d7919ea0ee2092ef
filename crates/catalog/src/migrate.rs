//! Brings a database file to this binary's schema, one numbered file at a time.

use jiff::Timestamp;
use rusqlite::Connection;

use crate::error::{Error, Result};

/// Every migration in order; the number is its place in the list, starting at 1.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/sqlite/0001_core.sql"),
    include_str!("../migrations/sqlite/0002_mode.sql"),
    include_str!("../migrations/sqlite/0003_import.sql"),
    include_str!("../migrations/sqlite/0004_references.sql"),
    include_str!("../migrations/sqlite/0005_moving.sql"),
    include_str!("../migrations/sqlite/0006_import_source.sql"),
    include_str!("../migrations/sqlite/0007_access.sql"),
];

/// Those of the audit trail, which has a file of its own.
pub(crate) const OF_TRAIL: &[&str] = &[include_str!("../migrations/trail/sqlite/0001_trail.sql")];

/// Applies what is missing of `migrations`, each in its own transaction.
pub(crate) fn migrate(connection: &Connection, migrations: &[&str], now: Timestamp) -> Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS migration (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT",
    )?;
    let found = version(connection)?;
    Schema { found, known: count(migrations) }.refuse_newer()?;
    for (version, sql) in (1_i64..).zip(migrations).filter(|(version, _)| *version > found) {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let applied = connection.execute_batch(sql).and_then(|()| {
            connection.execute(
                "INSERT INTO migration (version, applied_at) VALUES ($1, $2)",
                (version, now.as_microsecond()),
            )
        });
        if let Err(error) = applied {
            connection.execute_batch("ROLLBACK")?;
            return Err(error.into());
        }
        connection.execute_batch("COMMIT")?;
    }
    Ok(())
}

/// Refuses any schema but this binary's, and changes nothing.
pub(crate) fn check(connection: &Connection, migrations: &[&str]) -> Result<()> {
    schema(connection, migrations)?.check()
}

/// Reads which schema a file has.
pub(crate) fn schema(connection: &Connection, migrations: &[&str]) -> Result<Schema> {
    let is_catalog = connection.table_exists(None, "migration")?;
    let found = if is_catalog { version(connection)? } else { 0 };
    Ok(Schema { found, known: count(migrations) })
}

/// Which schema a database has, and which one this binary brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// Version found; 0 for a database without a catalog.
    pub found: i64,
    /// Newest version known here.
    pub known: i64,
}

impl Schema {
    pub(crate) fn check(self) -> Result<()> {
        self.refuse_newer()?;
        let Self { found, known } = self;
        if found < known { Err(Error::Older { found, known }) } else { Ok(()) }
    }

    pub(crate) fn refuse_newer(self) -> Result<()> {
        let Self { found, known } = self;
        if found > known { Err(Error::Newer { found, known }) } else { Ok(()) }
    }
}

fn version(connection: &Connection) -> Result<i64> {
    let newest = "SELECT COALESCE(MAX(version), 0) FROM migration";
    Ok(connection.query_row(newest, [], |row| row.get(0))?)
}

/// Returns the version that all of `migrations` make.
pub(crate) fn count(migrations: &[&str]) -> i64 {
    i64::try_from(migrations.len()).unwrap_or(i64::MAX)
}
