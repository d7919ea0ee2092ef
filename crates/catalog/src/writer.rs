//! Group commit: one thread owns the write connection, runs each unit of work in a savepoint, and commits many with one fsync.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::driver::Reader;
use crate::driver::sqlite::Session;
use crate::error::{Error, Result};
use crate::signals::Signals;
use crate::tx::Tx;
use crate::{event, ledger};

/// Units of work that may share one commit.
const GROUP_UNITS: usize = 256;
/// How long a group may collect before it commits, so that the first unit's caller does not wait for the last's.
const GROUP_TIME: Duration = Duration::from_millis(5);
/// Units that may wait for the writer; beyond this, callers wait to hand theirs over.
const QUEUE_UNITS: usize = 4096;

/// What a unit does once its fate is known.
type Reply = Box<dyn FnOnce(Result<()>) + Send>;
/// Runs in the group's transaction. Its reply waits for the commit even when it was rolled back: what it refused on may be
/// an earlier unit's change, which nobody else sees before the commit.
type Unit = Box<dyn FnOnce(&mut Tx) -> Ran + Send>;

/// A unit that ran.
struct Ran {
    reply: Reply,
    /// Whether its changes stand.
    stands: bool,
    /// Why the whole group can't stand any more, if so.
    lost: Option<Error>,
}

/// The write half of the catalog.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Option<SyncSender<Unit>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread; it ends when the writer is dropped.
    ///
    /// `owns`: the database is this process's alone.
    pub(crate) fn start(
        name: &str,
        connection: Connection,
        signals: Arc<Signals>,
        owns: bool,
    ) -> Result<Self> {
        let (queue, units) = sync_channel(QUEUE_UNITS);
        let tx = Tx::new(Reader::sqlite(Session::new(connection)));
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || run(tx, &units, &signals, owns))
            .map_err(|error| Error::Database(format!("cannot start the writer thread: {error}")))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Hands `body` to the thread and waits until its changes are durable, or undone.
    pub(crate) async fn write<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let unit: Unit = Box::new(move |tx| run_unit(tx, &body, tell));
        self.hand_over(unit).await?;
        told.await.map_err(|_| E::from(Error::Closed))?
    }

    /// Waits for room without blocking the runtime; a full queue is rare, so polling it is enough.
    async fn hand_over(&self, mut unit: Unit) -> Result<()> {
        let queue = self.queue.as_ref().ok_or(Error::Closed)?;
        loop {
            match queue.try_send(unit) {
                Ok(()) => return Ok(()),
                Err(std::sync::mpsc::TrySendError::Full(back)) => unit = back,
                Err(std::sync::mpsc::TrySendError::Disconnected(_)) => return Err(Error::Closed),
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // The thread handles its own panics; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

fn run(mut tx: Tx, units: &Receiver<Unit>, signals: &Signals, owns: bool) {
    while let Ok(first) = units.recv() {
        run_group(&mut tx, first, units, signals);
    }
    if !owns {
        return;
    }
    // A clean end leaves no log behind for the next start to replay.
    if let Err(error) = tx.embedded().and_then(Session::truncate_log) {
        tracing::debug!(%error, "could not truncate the write-ahead log at the end");
    }
}

fn run_group(tx: &mut Tx, first: Unit, units: &Receiver<Unit>, signals: &Signals) {
    if let Err(error) = tx.embedded().and_then(Session::begin) {
        // Without a transaction a unit can't run; dropping it tells its caller that the catalog is closed, so answer properly.
        return refuse(tx, first, error);
    }
    let started = Instant::now();
    let (mut replies, mut stands) = (Vec::new(), false);
    let mut next = Some(first);
    while let Some(unit) = next {
        let ran = unit(tx);
        stands |= ran.stands;
        replies.push(ran.reply);
        if let Some(error) = ran.lost {
            tracing::error!(%error, "the catalog gave a group of units up");
            return settle(tx, replies, &Err(error), signals);
        }
        let full = replies.len() >= GROUP_UNITS || started.elapsed() >= GROUP_TIME;
        next = if full { None } else { units.try_recv().ok() };
    }
    let outcome = if stands { commit(tx, signals) } else { Ok(()) };
    settle(tx, replies, &outcome, signals);
}

fn commit(tx: &mut Tx, signals: &Signals) -> Result<()> {
    ledger::settle(tx)?;
    event::seal(tx)?;
    tx.embedded()?.commit()?;
    signals.commits.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Answers everyone in the group, after a commit or instead of one.
fn settle(tx: &mut Tx, replies: Vec<Reply>, outcome: &Result<()>, signals: &Signals) {
    if let Ok(session) = tx.embedded() {
        session.rollback();
    }
    let marks = tx.end();
    if outcome.is_ok() {
        signals.generations.bump(marks.repositories);
        signals.units.fetch_add(replies.len() as u64, Ordering::Relaxed);
        if let Some(position) = marks.sealed {
            signals.advance_sealed(position);
        }
    }
    for reply in replies {
        reply(outcome.clone());
    }
}

fn refuse(tx: &mut Tx, unit: Unit, error: Error) {
    tx.refuse_with(error);
    // In a refusing transaction the unit touches nothing.
    (unit(tx).reply)(Ok(()));
    tx.end();
}

fn run_unit<T, E, F>(tx: &mut Tx, body: &F, tell: oneshot::Sender<Result<T, E>>) -> Ran
where
    F: AsyncFn(&mut Tx) -> Result<T, E>,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    if let Some(error) = tx.refusal() {
        return Ran { reply: reply_with(tell, Err(error.into())), stands: false, lost: None };
    }
    match run_body(tx, body) {
        Ok(ended) => {
            let stands = ended.is_ok();
            Ran { reply: reply_with(tell, ended), stands, lost: lost(tx) }
        }
        Err(error) => {
            let lost = lost(tx).unwrap_or_else(|| error.clone());
            Ran { reply: reply_with(tell, Err(error.into())), stands: false, lost: Some(lost) }
        }
    }
}

fn lost(tx: &Tx) -> Option<Error> {
    tx.embedded().map_or_else(Some, Session::lost)
}

/// Runs a body in a savepoint. An error outside is the transaction's own: it can't go on.
fn run_body<T, E, F>(tx: &mut Tx, body: &F) -> Result<Result<T, E>>
where
    F: AsyncFn(&mut Tx) -> Result<T, E>,
    E: From<Error>,
{
    let mark = tx.savepoint()?;
    let ran = std::panic::catch_unwind(AssertUnwindSafe(|| poll_once(body(tx))));
    let ended = match ran {
        Ok(Some(ended)) => ended,
        Ok(None) => {
            Err(Error::Panicked("the body waited for something other than its transaction".into()).into())
        }
        Err(panic) => Err(Error::Panicked(panic_text(panic.as_ref())).into()),
    };
    if ended.is_ok() {
        tx.release()?;
    } else if lost(tx).is_none() {
        tx.rollback_to(mark)?;
    }
    Ok(ended)
}

/// A caller that went away needs no answer.
fn reply_with<T, E>(tell: oneshot::Sender<Result<T, E>>, ended: Result<T, E>) -> Reply
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    Box::new(move |outcome| {
        let _ = tell.send(outcome.map_err(E::from).and(ended));
    })
}

/// SQLite never makes a body wait, so one poll completes it.
pub(crate) fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into())
}
