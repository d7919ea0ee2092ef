//! The sealer: gives the events that have happened their positions and hashes, one node at a time.
//!
//! Who holds the lock of `event_head`'s row is the one. A node that goes takes its transaction, and so the lock, with it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::Engine;
use super::connector::Connection;
use super::pool::jittered;
use crate::driver::{Reader, params};
use crate::error::{Error, Failure, Result};
use crate::event::Fields;

/// Events to a transaction.
const BATCH: i64 = 512;
/// Between the first event that waits and the look for it: others come meanwhile, and share the transaction and its sync.
const GATHER: Duration = Duration::from_millis(25);
/// Longest time that an event of another node, or of one that went, waits for this one to look.
const TICK: Duration = Duration::from_millis(200);
/// After a failure.
const PAUSE: Duration = Duration::from_millis(500);
/// A batch takes milliseconds; one that hangs must not keep the lock.
const LIMIT: Duration = Duration::from_secs(5);

/// A node that stops in the middle, or a statement that hangs, gives the lock back after [`LIMIT`].
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 5000; \
                     SET LOCAL idle_in_transaction_session_timeout = 5000";

/// Counts what waits.
pub(crate) async fn count_unsealed(r: &Reader) -> Result<u64> {
    let found = r.query_opt("SELECT COUNT(*) FROM event_unsealed", params![], |row| row.size(0)).await?;
    Ok(found.unwrap_or(0))
}

/// Seals for as long as the catalog is open.
pub(super) async fn run(engine: Arc<Engine>) {
    let mut connection = None;
    let mut failing = false;
    loop {
        // A notice that came while the last batch was under way is not lost.
        if timeout(TICK, engine.appended.notified()).await.is_ok() {
            sleep(GATHER).await;
        }
        match look(&engine, &mut connection).await {
            Ok(()) if failing => {
                failing = false;
                tracing::info!("sealing events again");
            }
            Ok(()) => {}
            Err(failure) => {
                connection = None;
                if !failing {
                    tracing::warn!(error = %failure.error, "cannot seal events, will go on trying");
                }
                failing = true;
                sleep(jittered(PAUSE)).await;
            }
        }
    }
}

/// Seals everything that waits, unless another node is at it.
async fn look(engine: &Engine, held: &mut Option<Connection>) -> Result<(), Failure> {
    let connection = match held.take().filter(|held| !held.is_closed()) {
        Some(connection) => connection,
        None => engine.pool.connector().connect().await?,
    };
    loop {
        let more = async {
            if !anything(&connection).await? {
                return Ok(false);
            }
            batch(engine, &connection).await
        };
        if !timeout(LIMIT, more).await.map_err(|_| Failure::silent())?? {
            break;
        }
    }
    *held = Some(connection);
    Ok(())
}

/// Looks without a lock: an idle registry must not write to find out that there is nothing to do.
async fn anything(connection: &Connection) -> Result<bool, Failure> {
    let sql = "SELECT 1 WHERE EXISTS (SELECT 1 FROM event_unsealed) OR EXISTS (SELECT 1 FROM ledger_delta)";
    Ok(!connection.query(sql, &[]).await?.is_empty())
}

/// Seals one batch. Returns false if another node is at it.
async fn batch(engine: &Engine, connection: &Connection) -> Result<bool, Failure> {
    connection.batch(BEGIN).await?;
    let head = connection
        .query("SELECT position, hash FROM event_head WHERE one = 1 FOR UPDATE SKIP LOCKED", &[])
        .await?;
    let Some(head) = head.first() else {
        connection.batch("ROLLBACK").await?;
        return Ok(false);
    };
    let (position, hash) = (head.try_get(0)?, head.try_get::<_, Vec<u8>>(1)?);
    let hash: [u8; 32] = hash
        .try_into()
        .map_err(|hash| Failure::last(Error::Invalid { what: "event hash", value: hex::encode(hash) }))?;
    let last = seal(connection, position, hash).await?;
    fold(connection).await?;
    connection.batch("COMMIT").await?;
    engine.signals.advance_sealed(last);
    Ok(true)
}

/// Moves what waits behind the head; this statement sees what was committed after the lock was had.
async fn seal(connection: &Connection, mut position: i64, mut hash: [u8; 32]) -> Result<i64, Failure> {
    let rows = connection
        .query(
            "SELECT number, id, at, kind, repository, tag, digest, caller, detail
               FROM event_unsealed ORDER BY number LIMIT $1",
            &[(&BATCH, Type::INT8)],
        )
        .await?;
    if rows.is_empty() {
        return Ok(position);
    }
    let mut columns = Columns::default();
    for row in &rows {
        position += 1;
        let event = read(row)?;
        hash = event.hash(position, &hash);
        columns.push(row.try_get(0)?, position, event, &hash);
    }
    columns.insert(connection).await?;
    connection
        .query("DELETE FROM event_unsealed WHERE number = ANY($1)", &[(&columns.numbers, Type::INT8_ARRAY)])
        .await?;
    connection
        .query(
            "UPDATE event_head SET position = $1, hash = $2 WHERE one = 1",
            &[(&position, Type::INT8), (&&hash[..], Type::BYTEA)],
        )
        .await?;
    Ok(position)
}

fn read(row: &Row) -> Result<Fields<'_>, Failure> {
    let text = |column: usize| row.try_get(column).map(Cow::Borrowed);
    let text_opt =
        |column: usize| Ok::<_, Failure>(row.try_get::<_, Option<&str>>(column)?.map(Cow::Borrowed));
    Ok(Fields {
        id: text(1)?,
        at: row.try_get(2)?,
        kind: text(3)?,
        repository: text(4)?,
        tag: text_opt(5)?,
        digest: text_opt(6)?,
        caller: text(7)?,
        detail: text(8)?,
    })
}

/// A batch, column by column, so that one statement takes it.
#[derive(Default)]
struct Columns<'a> {
    numbers: Vec<i64>,
    positions: Vec<i64>,
    ids: Vec<Cow<'a, str>>,
    times: Vec<i64>,
    kinds: Vec<Cow<'a, str>>,
    repositories: Vec<Cow<'a, str>>,
    tags: Vec<Option<Cow<'a, str>>>,
    digests: Vec<Option<Cow<'a, str>>>,
    callers: Vec<Cow<'a, str>>,
    details: Vec<Cow<'a, str>>,
    hashes: Vec<Vec<u8>>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, number: i64, position: i64, event: Fields<'a>, hash: &[u8; 32]) {
        self.numbers.push(number);
        self.positions.push(position);
        self.ids.push(event.id);
        self.times.push(event.at);
        self.kinds.push(event.kind);
        self.repositories.push(event.repository);
        self.tags.push(event.tag);
        self.digests.push(event.digest);
        self.callers.push(event.caller);
        self.details.push(event.detail);
        self.hashes.push(hash.to_vec());
    }

    async fn insert(&self, connection: &Connection) -> Result<(), Failure> {
        connection
            .query(
                "INSERT INTO event (position, id, at, kind, repository, tag, digest, caller, detail, hash)
                 SELECT * FROM UNNEST($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                &[
                    (&self.positions, Type::INT8_ARRAY),
                    (&self.ids, Type::TEXT_ARRAY),
                    (&self.times, Type::INT8_ARRAY),
                    (&self.kinds, Type::TEXT_ARRAY),
                    (&self.repositories, Type::TEXT_ARRAY),
                    (&self.tags, Type::TEXT_ARRAY),
                    (&self.digests, Type::TEXT_ARRAY),
                    (&self.callers, Type::TEXT_ARRAY),
                    (&self.details, Type::TEXT_ARRAY),
                    (&self.hashes, Type::BYTEA_ARRAY),
                ],
            )
            .await?;
        Ok(())
    }
}

/// Adds what units of work booked to the totals.
async fn fold(connection: &Connection) -> Result<(), Failure> {
    connection
        .query(
            "WITH booked AS (
                DELETE FROM ledger_delta WHERE number IN (SELECT number FROM ledger_delta ORDER BY number LIMIT $1)
                RETURNING name, value)
             INSERT INTO ledger_total (name, value)
             SELECT name, CAST(SUM(value) AS BIGINT) FROM booked GROUP BY name
                 ON CONFLICT (name) DO UPDATE SET value = ledger_total.value + excluded.value",
            &[(&BATCH, Type::INT8)],
        )
        .await?;
    Ok(())
}
