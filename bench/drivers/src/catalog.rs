//! The catalog's file: the server's own schema and settings, and something in it.

use std::path::Path;

use rusqlite::Connection;

use crate::driver::{Driver, Param, Result, poll_once};
use crate::event::seal;
use crate::made_up::{self, MANIFESTS};
use crate::push::Push;
use crate::with_rusqlite::open_writer;

const SCHEMA: &str = include_str!("../../../crates/catalog/migrations/sqlite/0001_core.sql");
const BLOB_BYTES: i64 = 10 << 10;

/// The server's settings of its write connection, in their order.
pub(crate) const WRITER_PRAGMAS: [(&str, &str); 7] = [
    ("page_size", "4096"),
    ("journal_mode", "WAL"),
    ("wal_autocheckpoint", "8000"),
    ("journal_size_limit", "67108864"),
    ("synchronous", "FULL"),
    ("foreign_keys", "ON"),
    ("cache_size", "-16384"),
];
/// The server's settings of a connection that reads.
pub(crate) const READER_PRAGMAS: [(&str, &str); 2] = [("query_only", "ON"), ("cache_size", "-4096")];
/// Statements kept prepared by a connection.
pub(crate) const STATEMENTS: usize = 128;

/// Creates the file with a manifest under each tag.
pub(crate) fn create(file: &Path) -> Result<()> {
    let mut connection = open_writer(file)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    connection.execute_batch(SCHEMA)?;
    poll_once(fill(&mut connection))?;
    connection.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}

async fn fill(connection: &mut Connection) -> Result<()> {
    let now = made_up::micros(0);
    for (number, name) in (0..).zip(made_up::repositories()) {
        let insert = "INSERT INTO repository (name, created_at) VALUES ($1, $2)";
        connection.run(insert, &[Param::Text(&name), Param::Int(now)]).await?;
        for digest in made_up::blobs(number) {
            insert_blob(connection, &name, &digest, now).await?;
        }
    }
    let mut events = Vec::new();
    for serial in 0..MANIFESTS {
        Push::new(serial).carry_out(connection, &mut events).await?;
    }
    seal(connection, &events).await
}

/// Inserts a blob whose bytes lie elsewhere, and links it.
async fn insert_blob(connection: &mut Connection, repository: &str, digest: &str, now: i64) -> Result<()> {
    connection
        .run(
            "INSERT INTO blob (digest, size, location, created_at) VALUES ($1, $2, $1, $3)",
            &[Param::Text(digest), Param::Int(BLOB_BYTES), Param::Int(now)],
        )
        .await?;
    connection
        .run(
            "INSERT INTO link (repository_id, blob_id, questioned_at)
             SELECT r.id, b.id, $1 FROM repository AS r, blob AS b WHERE r.name = $2 AND b.digest = $3",
            &[Param::Int(now), Param::Text(repository), Param::Text(digest)],
        )
        .await
}
