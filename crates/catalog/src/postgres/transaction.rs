//! The serializable transaction that a group of units shares.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Engine;
use super::pool::Lease;
use super::session::{Session, Unended};
use super::unit::Unit;
use crate::driver::{Reader, params};
use crate::error::{Error, Failure, Remedy, Result};
use crate::event::Fields;
use crate::generation;
use crate::store::Kind;
use crate::tx::Tx;

/// How long a group may collect before it commits, so that the first unit's caller does not wait for the last's.
const GROUP_TIME: Duration = Duration::from_millis(20);

/// A transaction whose node keeps silent for longer is given up by the database, so that nobody waits for its locks.
const IDLE: Duration = Duration::from_secs(2);

/// Why none of a group's units has ended.
pub(super) struct Setback {
    pub(super) failure: Failure,
    /// The unit that took the others' changes with it when its own had to go.
    pub(super) culprit: Option<usize>,
}

impl From<Failure> for Setback {
    fn from(failure: Failure) -> Self {
        Self { failure, culprit: None }
    }
}

/// How far a group has come.
struct Ran {
    /// Units that ran.
    count: usize,
    /// Whether the changes of the last one are to stand.
    stands: bool,
    /// Whether there are changes that must not stand.
    spoiled: bool,
}

/// Tries once. Returns how many units from the first have ended, or a failure that says whether another try may help: then none
/// has.
pub(super) async fn attempt(
    engine: &Engine,
    group: &mut [Box<dyn Unit>],
    in_turn: bool,
    deadline: Instant,
) -> Result<usize, Setback> {
    let mut lease = engine.pool.get(deadline).await?;
    // Nobody gets the connection while its transaction is open, whatever becomes of this try.
    lease.set_fit(false);
    let session = Session::working(engine.pool.clone(), lease, deadline);
    session.post_batch(begin(engine.kind, in_turn, deadline)).await;
    let mut tx = Tx::new(Reader::postgres(session));
    let running = timeout_at(deadline, run(&mut tx, group)).await;
    let ran = running.map_err(|_| Failure::last(Error::Busy))??;
    let appended = if ran.spoiled { Ok(false) } else { settle(&mut tx).await };
    if ran.spoiled || appended.is_err() || shared(&tx)?.trouble().is_some() {
        return undo(tx, &ran, group.len() == 1, deadline).await;
    }
    commit(engine, tx, deadline).await?;
    if matches!(appended, Ok(true)) {
        engine.appended.notify_one();
    }
    engine.signals.units.fetch_add(ran.count as u64, Ordering::Relaxed);
    Ok(ran.count)
}

/// Runs the units in order, for as long as a group may take.
async fn run(tx: &mut Tx, group: &mut [Box<dyn Unit>]) -> Result<Ran, Failure> {
    let begun = Instant::now();
    let mut ran = Ran { count: 0, stands: true, spoiled: false };
    for unit in group {
        let (mark, writes) = (tx.mark(), shared(tx)?.writes());
        ran.stands = unit.run(tx).await;
        ran.count += 1;
        if !ran.stands {
            ran.spoiled = shared(tx)?.writes() > writes;
            tx.forget(mark);
        }
        if ran.spoiled || shared(tx)?.trouble().is_some() || begun.elapsed() >= GROUP_TIME {
            break;
        }
    }
    Ok(ran)
}

/// Rolls back. A unit that ran alone and refused is heard; in a group it takes the changes of the others with it, so they run again.
async fn undo(tx: Tx, ran: &Ran, alone: bool, deadline: Instant) -> Result<usize, Setback> {
    let session = shared(&tx)?;
    let mut lease = session.take_lease().ok_or_else(|| Failure::last(Error::Closed))?;
    if within(deadline, &lease, "ROLLBACK").await.is_ok() {
        lease.set_fit(true);
    }
    match session.trouble() {
        // A body that took an error for nothing is told; one that made its own of it is heard.
        Some(failure) if failure.remedy != Remedy::None || ran.stands || !alone => Err(failure.into()),
        None if !alone => {
            Err(Setback { failure: Failure::last(Error::Busy), culprit: ran.count.checked_sub(1) })
        }
        _ => Ok(1),
    }
}

/// Commits what stands, and also refusals that changed nothing, since what they read is only sure then. COMMIT goes out together
/// with the last writes: in a transaction that has failed it is a rollback, and the failure is heard.
async fn commit(engine: &Engine, mut tx: Tx, deadline: Instant) -> Result<(), Failure> {
    let session = shared(&tx)?;
    if session.is_closed() {
        return Err(Failure { remedy: Remedy::Reconnect, ..Failure::silent() });
    }
    let wrote = session.writes() > 0;
    session.post_batch("COMMIT".into()).await;
    let heard = session.hear_end(deadline).await;
    let mut lease = session.take_lease().ok_or_else(|| Failure::last(Error::Closed))?;
    if let Err(Unended { failure, undone }) = heard {
        if !wrote || undone || failure.remedy != Remedy::Reconnect {
            // One that met another has ended its transaction and nothing else.
            lease.set_fit(failure.remedy != Remedy::Reconnect);
            return Err(failure);
        }
        engine.signals.generations.bump(tx.end().repositories);
        return Err(Failure::last(Error::Unknown));
    }
    lease.set_fit(true);
    drop(lease);
    // Before any caller hears of it.
    engine.signals.generations.bump(tx.end().repositories);
    if wrote {
        engine.signals.commits.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Opens the transaction. Small tables would be read whole, and such a read meets every write to them.
fn begin(kind: Kind, in_turn: bool, deadline: Instant) -> String {
    let left = deadline.saturating_duration_since(Instant::now());
    let (left, idle) = (left.as_millis().max(1), left.min(IDLE).as_millis().max(1));
    let lock = if in_turn { "; LOCK TABLE turn IN EXCLUSIVE MODE" } else { "" };
    let level = if kind == Kind::Trail { "READ COMMITTED" } else { "SERIALIZABLE" };
    format!(
        "BEGIN ISOLATION LEVEL {level}; SET LOCAL enable_seqscan = off; SET LOCAL statement_timeout = {left}; \
         SET LOCAL idle_in_transaction_session_timeout = {idle}{lock}"
    )
}

/// Writes what the units noted: last, so that what all units touch is held for the shortest time. Returns whether there are events
/// for the sealer.
async fn settle(tx: &mut Tx) -> Result<bool> {
    let books = tx.marks().take_books();
    for pair in books.chunks(2) {
        match *pair {
            [one, two] => {
                let sql = "INSERT INTO ledger_delta (name, value) VALUES ($1, $2), ($3, $4)";
                tx.post(sql, params![one.0, one.1, two.0, two.1]).await?;
            }
            [one] => {
                let sql = "INSERT INTO ledger_delta (name, value) VALUES ($1, $2)";
                tx.post(sql, params![one.0, one.1]).await?;
            }
            _ => {}
        }
    }
    let events = std::mem::take(&mut tx.marks().events);
    for event in &events {
        let event = Fields::of(event);
        tx.post(
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
    Ok(!events.is_empty())
}

async fn withdraw(tx: &mut Tx) -> Result<()> {
    let mut stripes = std::mem::take(&mut tx.marks().withdrawn);
    stripes.sort_unstable();
    stripes.dedup();
    for stripe in stripes {
        tx.post(
            "INSERT INTO generation (stripe, value) VALUES ($1, 1)
             ON CONFLICT (stripe) DO UPDATE SET value = generation.value + 1",
            params![generation::to_row(stripe)],
        )
        .await?;
    }
    Ok(())
}

fn shared(tx: &Tx) -> Result<&Session, Failure> {
    tx.shared().ok_or_else(|| Failure::last(Error::Closed))
}

/// Runs statements without results, no longer than until `deadline`.
pub(super) async fn within(deadline: Instant, lease: &Lease, sql: &str) -> Result<(), Failure> {
    timeout_at(deadline, lease.connection().batch(sql)).await.map_err(|_| Failure::silent())??;
    Ok(())
}
