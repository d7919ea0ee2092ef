//! Group commit: one thread owns the write connection, runs each unit of work in a savepoint, and commits many with one fsync.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::driver::Reader;
use crate::error::{Error, Result};
use crate::event;
use crate::generation::Generations;
use crate::tx::{Mark, Tx};

/// Units of work that may share one commit.
const GROUP_UNITS: usize = 256;
/// How long a group may collect before it commits, so that the first unit's caller does not wait for the last's.
const GROUP_TIME: Duration = Duration::from_millis(5);
/// Units that may wait for the writer; beyond this, callers wait to hand theirs over.
const QUEUE_UNITS: usize = 4096;

/// What a unit does once its fate is known.
type Reply = Box<dyn FnOnce(Result<()>) + Send>;
/// Runs in the group's transaction. `Some`: the changes stand and the reply waits for the commit; `None`: rolled back and answered.
type Unit = Box<dyn FnOnce(&mut Tx) -> Result<Option<Reply>> + Send>;

/// The write half of the catalog.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Option<SyncSender<Unit>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread; it ends when the writer is dropped.
    pub(crate) fn start(connection: Connection, shared: Arc<Shared>) -> Result<Self> {
        let (queue, units) = sync_channel(QUEUE_UNITS);
        let thread = std::thread::Builder::new()
            .name("catalog-writer".into())
            .spawn(move || run(Tx::new(Reader { connection }), &units, &shared))
            .map_err(|error| Error::Database(format!("cannot start the writer thread: {error}")))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Hands `body` to the thread and waits until its changes are durable, or undone.
    pub(crate) async fn write<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&mut Tx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let unit: Unit = Box::new(move |tx| run_unit(tx, body, tell));
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

/// What the writer tells the rest of the process.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) generations: Generations,
    pub(crate) sealed: tokio::sync::watch::Sender<i64>,
    pub(crate) commits: std::sync::atomic::AtomicU64,
    pub(crate) units: std::sync::atomic::AtomicU64,
}

fn run(mut tx: Tx, units: &Receiver<Unit>, shared: &Shared) {
    while let Ok(first) = units.recv() {
        run_group(&mut tx, first, units, shared);
    }
    // A clean end leaves no log behind for the next start to replay.
    if let Err(error) = tx.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
        tracing::debug!(%error, "could not truncate the write-ahead log at the end");
    }
}

fn run_group(tx: &mut Tx, first: Unit, units: &Receiver<Unit>, shared: &Shared) {
    if let Err(error) = tx.begin() {
        // Without a transaction a unit can't run; dropping it tells its caller that the catalog is closed, so answer properly.
        return refuse(tx, first, error);
    }
    let started = Instant::now();
    let mut replies = Vec::new();
    let mut next = Some(first);
    while let Some(unit) = next {
        match unit(tx) {
            Ok(Some(reply)) => replies.push(reply),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, "a unit of work could not be undone; the group is rolled back");
                return settle(tx, replies, Err(error), shared);
            }
        }
        let full = replies.len() >= GROUP_UNITS || started.elapsed() >= GROUP_TIME;
        next = if full { None } else { units.try_recv().ok() };
    }
    let outcome = if replies.is_empty() { Err(Error::Closed) } else { event::seal(tx) };
    settle(tx, replies, outcome, shared);
}

/// Commits or rolls back, then answers everyone in the group.
fn settle(tx: &mut Tx, replies: Vec<Reply>, outcome: Result<()>, shared: &Shared) {
    let outcome = outcome.and_then(|()| tx.commit());
    let marks = tx.end();
    match &outcome {
        Ok(()) => {
            shared.generations.bump(&marks.repositories);
            shared.commits.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            shared.units.fetch_add(replies.len() as u64, std::sync::atomic::Ordering::Relaxed);
            if let Some(position) = marks.sealed {
                shared.sealed.send_replace(position);
            }
        }
        Err(_) => tx.rollback(),
    }
    for reply in replies {
        reply(outcome.clone());
    }
}

fn refuse(tx: &mut Tx, unit: Unit, error: Error) {
    tx.refuse_with(error);
    // In a refusing transaction the unit answers with that error and touches nothing.
    let _ = unit(tx);
    tx.end();
}

fn run_unit<T, E, F>(tx: &mut Tx, body: F, tell: oneshot::Sender<Result<T, E>>) -> Result<Option<Reply>>
where
    F: AsyncFnOnce(&mut Tx) -> Result<T, E>,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    if let Some(error) = tx.refusal() {
        let _ = tell.send(Err(error.into()));
        return Ok(None);
    }
    let mark = tx.savepoint()?;
    let ran = std::panic::catch_unwind(AssertUnwindSafe(|| poll_once(body(tx))));
    let failed = match ran {
        Ok(Some(Ok(value))) => {
            tx.release()?;
            return Ok(Some(Box::new(move |outcome| {
                let _ = tell.send(outcome.map(|()| value).map_err(E::from));
            })));
        }
        Ok(Some(Err(error))) => error,
        Ok(None) => Error::Panicked("the body waited for something other than its transaction".into()).into(),
        Err(panic) => Error::Panicked(panic_text(panic.as_ref())).into(),
    };
    undo(tx, mark)?;
    let _ = tell.send(Err(failed));
    Ok(None)
}

fn undo(tx: &mut Tx, mark: Mark) -> Result<()> {
    tx.rollback_to(mark)
}

/// SQLite never makes a body wait, so one poll completes it.
pub(crate) fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into())
}
