//! Whose the target is, and what makes a filled one a catalog to go on with.

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::keys::{self, Kept};
use super::{Connection, Progress};
use crate::clock::from_micros;
use crate::driver::parse;
use crate::error::{Error, Result};
use crate::ledger;
use crate::moving::{Moving, State, tables};

/// Claims the target in the transaction that is open.
pub(super) async fn claim(
    connection: &Connection,
    id: &str,
    source: &str,
    worker: &str,
    (may_begin, now): (bool, Timestamp),
) -> Result<Moving> {
    connection.batch("LOCK TABLE moving IN EXCLUSIVE MODE").await?;
    match find(connection).await? {
        Some(moving) if moving.id == id => take_over(connection, worker, now).await?,
        _ if !may_begin => {
            return Err(Error::NotFree(
                "the registry has moved, and not to this database: name that one".into(),
            ));
        }
        Some(moving) if moving.state == State::Open => {
            return Err(Error::NotFree(
                "the new database holds a registry that has moved there: name an empty one".into(),
            ));
        }
        Some(moving) if moving.state == State::Restoring => {
            return Err(Error::NotFree(format!(
                "point {} of a backup is being restored into the new database: name an empty one",
                moving.peer
            )));
        }
        Some(moving) if moving.peer == source => {
            // Cancelled while the database was out of reach.
            let progress: Progress = serde_json::from_str(&moving.progress).unwrap_or_default();
            clear(connection, &progress.kept).await?;
            insert(connection, id, source, worker, now).await?;
        }
        Some(moving) => {
            return Err(Error::NotFree(format!(
                "another registry is moving to the new database, from store {}: name an empty one, or run `berth migrate cancel` there",
                moving.peer
            )));
        }
        None if is_used(connection).await? => {
            return Err(Error::NotFree(
                "the new database holds a registry already: name an empty one".into(),
            ));
        }
        None => insert(connection, id, source, worker, now).await?,
    }
    find(connection).await?.ok_or(Error::TakenOver)
}

/// What is ready is filled further: the switch that made it so did not end.
async fn take_over(connection: &Connection, worker: &str, now: Timestamp) -> Result<()> {
    let sql = "UPDATE moving SET worker = $1, changed_at = $2, state = CASE WHEN state = 'open' THEN state ELSE 'filling' END
                WHERE one = 1";
    connection.query(sql, &[(&worker, Type::TEXT), (&now.as_microsecond(), Type::INT8)]).await?;
    Ok(())
}

async fn insert(connection: &Connection, id: &str, source: &str, worker: &str, now: Timestamp) -> Result<()> {
    let progress = serde_json::to_string(&Progress::default())
        .map_err(|error| Error::Invalid { what: "progress of a move", value: error.to_string() })?;
    let now = now.as_microsecond();
    let values: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 5] = [
        (&id, Type::TEXT),
        (&source, Type::TEXT),
        (&worker, Type::TEXT),
        (&progress, Type::TEXT),
        (&now, Type::INT8),
    ];
    connection
        .query(
            "INSERT INTO moving (one, id, peer, state, worker, rests_till, applied, progress, started_at, changed_at)
             VALUES (1, $1, $2, 'filling', $3, 0, 0, $4, $5, $5)",
            &values,
        )
        .await?;
    Ok(())
}

async fn find(connection: &Connection) -> Result<Option<Moving>> {
    let rows = connection
        .query("SELECT id, peer, state, worker, applied, progress, started_at, changed_at FROM moving WHERE one = 1", &[])
        .await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Moving {
        id: row.try_get(0)?,
        peer: row.try_get(1)?,
        state: parse(row.try_get(2)?, "state of a move")?,
        worker: row.try_get(3)?,
        rests_till: Timestamp::UNIX_EPOCH,
        applied: row.try_get(4)?,
        progress: row.try_get(5)?,
        started_at: from_micros(row.try_get(6)?),
        changed_at: from_micros(row.try_get(7)?),
    }))
}

/// Tells whether anything is there, be it only the jobs that a node schedules at its start.
async fn is_used(connection: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM repository) OR EXISTS (SELECT 1 FROM blob) OR EXISTS (SELECT 1 FROM event)
                   OR EXISTS (SELECT 1 FROM event_unsealed) OR EXISTS (SELECT 1 FROM job) OR EXISTS (SELECT 1 FROM upload)
                   OR EXISTS (SELECT 1 FROM account) OR EXISTS (SELECT 1 FROM robot) OR EXISTS (SELECT 1 FROM project)
                   OR EXISTS (SELECT 1 FROM role) OR EXISTS (SELECT 1 FROM binding) OR EXISTS (SELECT 1 FROM secret)";
    let rows = connection.query(sql, &[]).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(true))
}

pub(super) async fn last_event(connection: &Connection) -> Result<i64> {
    let rows = connection.query("SELECT COALESCE(MAX(position), 0) FROM event", &[]).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(0))
}

/// Removes every row that arrived, and the claim, in the transaction that is open.
pub(super) async fn clear(connection: &Connection, kept: &[Kept]) -> Result<()> {
    let names: Vec<_> = tables().map(|table| table.name).collect();
    connection
        .batch(&format!(
            "TRUNCATE {}, session, upload, ledger_total, ledger_delta, moving RESTART IDENTITY;
             UPDATE event_head SET position = 0, hash = decode(repeat('00', 32), 'hex')",
            names.join(", ")
        ))
        .await?;
    keys::make(connection, kept).await
}

/// Sets what follows from the rows: the next ids, the head of the log, the totals.
pub(super) async fn make_ready(connection: &Connection) -> Result<()> {
    // Whatever is numbered by itself.
    for table in tables().filter(|table| table.key.iter().any(|(column, _)| *column == "id")) {
        let table = table.name;
        let (next, last) =
            (format!("pg_get_serial_sequence('{table}', 'id')"), format!("MAX(id) FROM {table}"));
        connection.batch(&format!("{0} setval({next}, GREATEST(({0} {last}), 1))", "SELECT")).await?;
    }
    connection
        .query(
            "UPDATE event_head SET position = last.position, hash = last.hash
               FROM (SELECT position, hash FROM event ORDER BY position DESC LIMIT 1) AS last WHERE one = 1",
            &[],
        )
        .await?;
    connection
        .query(
            "INSERT INTO ledger_total (name, value)
             SELECT $1, COUNT(*) FROM blob UNION ALL SELECT $2, CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM blob
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            &[(&ledger::BLOBS, Type::TEXT), (&ledger::BLOB_BYTES, Type::TEXT)],
        )
        .await?;
    Ok(())
}
