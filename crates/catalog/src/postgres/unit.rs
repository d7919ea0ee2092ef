//! Units of work: each one a serializable transaction, run again when it met another.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::{Instant, sleep, timeout_at};

use super::Engine;
use super::pool::{Lease, jittered};
use super::session::Session;
use crate::driver::{Reader, params};
use crate::error::{Error, Failure, Remedy, Result};
use crate::event::Fields;
use crate::generation;
use crate::tx::Tx;
use crate::writer::panic_text;

/// Tries before a unit takes its turn with the others that had no luck.
const FREE_TRIES: u32 = 4;
/// Tries of a unit that found a row, or missed one, against what it had read: another's doing, or the unit's own mistake.
const DOUBTFUL_TRIES: u32 = 5;
/// Before the second try; doubles up to 32 times that.
const PAUSE: Duration = Duration::from_millis(2);

/// Runs `body` until it is committed, or refused, or patience ends.
pub(super) async fn run<T, E, F>(engine: &Engine, body: &F) -> Result<T, E>
where
    F: AsyncFn(&mut Tx) -> Result<T, E>,
    E: From<Error>,
{
    let deadline = Instant::now() + engine.pool.patience();
    let room = timeout_at(deadline, engine.units.acquire()).await;
    let _room = room.map_err(|_| Error::Busy)?.map_err(|_| Error::Closed)?;
    let (mut tries, mut met, mut turn) = (0, 0, None);
    loop {
        if met >= FREE_TRIES && turn.is_none() {
            turn = Some(timeout_at(deadline, engine.turn.lock()).await.map_err(|_| Error::Busy)?);
        }
        let failure = match attempt(engine, body, turn.is_some(), deadline).await {
            Ok(outcome) => return outcome,
            Err(failure) => failure,
        };
        tries += 1;
        let again = match failure.remedy {
            Remedy::Again => {
                met += 1;
                true
            }
            Remedy::AgainFew => {
                met += 1;
                met < DOUBTFUL_TRIES
            }
            Remedy::Reconnect => {
                // What ended this connection has mostly ended those that lie idle, too.
                engine.pool.clear();
                true
            }
            Remedy::None => false,
        };
        let pause = jittered(PAUSE * 2_u32.pow(tries.min(6) - 1));
        if !again || Instant::now() + pause >= deadline {
            return Err(failure.error.into());
        }
        engine.signals.retries.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(error = %failure.error, tries, "a unit of work runs again");
        sleep(pause).await;
    }
}

/// Tries once. The failure of a try says whether another may help.
async fn attempt<T, E, F>(
    engine: &Engine,
    body: &F,
    in_turn: bool,
    deadline: Instant,
) -> Result<Result<T, E>, Failure>
where
    F: AsyncFn(&mut Tx) -> Result<T, E>,
    E: From<Error>,
{
    let mut lease = engine.pool.get(deadline).await?;
    // Nobody gets the connection while its transaction is open, whatever becomes of this try.
    lease.set_fit(false);
    within(deadline, &lease, &begin(in_turn, deadline)).await?;
    let session = Session::working(engine.pool.clone(), lease, deadline);
    let mut tx = Tx::new(Reader::postgres(session));
    let ran = timeout_at(deadline, AssertUnwindSafe(body(&mut tx)).catch_unwind()).await;
    let mut ended: Result<T, E> = match ran {
        Ok(Ok(ended)) => ended,
        Ok(Err(panic)) => Err(Error::Panicked(panic_text(panic.as_ref())).into()),
        Err(_) => return Err(Failure::last(Error::Busy)),
    };
    let mut appended = false;
    if ended.is_ok() {
        match settle(&mut tx).await {
            Ok(any) => appended = any,
            Err(error) => ended = Err(error.into()),
        }
    }
    let closed = close(engine, tx, ended, deadline).await;
    if appended && matches!(closed, Ok(Ok(_))) {
        engine.appended.notify_one();
    }
    closed
}

/// Ends the transaction: commits what stands, and also a refusal that changed nothing, since what it read is only sure then.
async fn close<T, E>(
    engine: &Engine,
    mut tx: Tx,
    ended: Result<T, E>,
    deadline: Instant,
) -> Result<Result<T, E>, Failure> {
    let session = tx.shared().ok_or_else(|| Failure::last(Error::Closed))?;
    let mut lease = session.take_lease().ok_or_else(|| Failure::last(Error::Closed))?;
    let wrote = session.wrote();
    let trouble = session.trouble();
    if trouble.is_some() || (ended.is_err() && wrote) {
        if within(deadline, &lease, "ROLLBACK").await.is_ok() {
            lease.set_fit(true);
        }
        return match trouble {
            // A body that took an error for nothing is told; one that made its own of it is heard.
            Some(failure) if failure.remedy != Remedy::None || ended.is_ok() => Err(failure),
            _ => Ok(ended),
        };
    }
    if lease.connection().is_closed() {
        return Err(Failure { remedy: Remedy::Reconnect, ..Failure::silent() });
    }
    if let Err(failure) = within(deadline, &lease, "COMMIT").await {
        if !wrote || failure.remedy != Remedy::Reconnect {
            // One that met another has ended its transaction and nothing else.
            lease.set_fit(matches!(failure.remedy, Remedy::Again | Remedy::AgainFew));
            return Err(failure);
        }
        engine.signals.generations.bump(tx.end().repositories);
        return Err(Failure::last(Error::Unknown));
    }
    lease.set_fit(true);
    drop(lease);
    if ended.is_ok() {
        committed(engine, &mut tx, wrote);
    }
    Ok(ended)
}

/// Tells the rest of the process, before the caller hears of it.
fn committed(engine: &Engine, tx: &mut Tx, wrote: bool) {
    let marks = tx.end();
    engine.signals.generations.bump(marks.repositories);
    engine.signals.units.fetch_add(1, Ordering::Relaxed);
    if wrote {
        engine.signals.commits.fetch_add(1, Ordering::Relaxed);
    }
}

/// Opens the transaction in one round trip. Small tables would be read whole, and such a read meets every write to them.
fn begin(in_turn: bool, deadline: Instant) -> String {
    let left = deadline.saturating_duration_since(Instant::now()).as_millis().max(1);
    let lock = if in_turn { "; LOCK TABLE turn IN EXCLUSIVE MODE" } else { "" };
    format!(
        "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL enable_seqscan = off; SET LOCAL statement_timeout = {left}; \
         SET LOCAL idle_in_transaction_session_timeout = {left}{lock}"
    )
}

/// Writes what the unit noted: last, so that what all units touch is held for the shortest time. Returns whether there is
/// anything for the sealer.
async fn settle(tx: &mut Tx) -> Result<bool> {
    let books = tx.marks().take_books();
    for pair in books.chunks(2) {
        match *pair {
            [one, two] => {
                let sql = "INSERT INTO ledger_delta (name, value) VALUES ($1, $2), ($3, $4)";
                tx.execute(sql, params![one.0, one.1, two.0, two.1]).await?;
            }
            [one] => {
                let sql = "INSERT INTO ledger_delta (name, value) VALUES ($1, $2)";
                tx.execute(sql, params![one.0, one.1]).await?;
            }
            _ => {}
        }
    }
    let events = std::mem::take(&mut tx.marks().events);
    for event in &events {
        let event = Fields::of(event);
        tx.execute(
            "INSERT INTO event_unsealed (id, at, kind, repository, tag, digest, caller, detail)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            params![
                &*event.id,
                event.at,
                &*event.kind,
                &*event.repository,
                event.tag.as_deref(),
                event.digest.as_deref(),
                &*event.caller,
                &*event.detail,
            ],
        )
        .await?;
    }
    withdraw(tx).await?;
    Ok(!books.is_empty() || !events.is_empty())
}

async fn withdraw(tx: &mut Tx) -> Result<()> {
    let mut stripes = std::mem::take(&mut tx.marks().withdrawn);
    stripes.sort_unstable();
    stripes.dedup();
    for stripe in stripes {
        tx.execute(
            "INSERT INTO generation (stripe, value) VALUES ($1, 1)
             ON CONFLICT (stripe) DO UPDATE SET value = generation.value + 1",
            params![generation::to_row(stripe)],
        )
        .await?;
    }
    Ok(())
}

/// Runs statements without results, no longer than until `deadline`.
pub(super) async fn within(deadline: Instant, lease: &Lease, sql: &str) -> Result<(), Failure> {
    timeout_at(deadline, lease.connection().batch(sql)).await.map_err(|_| Failure::silent())??;
    Ok(())
}
