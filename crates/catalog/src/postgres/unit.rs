//! A unit of work as its lane sees it: a body that runs as often as it takes, and a caller who hears of it once.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::error::{Error, Failure, Result};
use crate::tx::Tx;
use crate::writer::panic_text;

/// Somebody's unit of work.
pub(super) trait Unit: Send {
    /// Returns until when its caller waits.
    fn deadline(&self) -> Instant;

    /// Runs the body and keeps what it said. Returns whether its changes are to stand.
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> LocalBoxFuture<'a, bool>;

    /// Tells the caller what the body said last, or why nothing came of that.
    fn end(self: Box<Self>, outcome: Result<()>);
}

/// A body and what becomes of it.
pub(super) struct Work<T, E, F> {
    body: F,
    deadline: Instant,
    tell: oneshot::Sender<Result<T, E>>,
    said: Option<Result<T, E>>,
}

impl<T, E, F> Work<T, E, F> {
    pub(super) fn new(body: F, deadline: Instant, tell: oneshot::Sender<Result<T, E>>) -> Self {
        Self { body, deadline, tell, said: None }
    }
}

impl<T, E, F> Unit for Work<T, E, F>
where
    F: AsyncFn(&mut Tx) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> LocalBoxFuture<'a, bool> {
        Box::pin(async move {
            let ran = AssertUnwindSafe((self.body)(&mut *tx)).catch_unwind().await;
            let said = ran.unwrap_or_else(|panic| {
                let error = Error::Panicked(panic_text(panic.as_ref()));
                // It may have left the answer to a statement half heard.
                if let Some(session) = tx.shared() {
                    session.give_up(Failure::last(error.clone()));
                }
                Err(error.into())
            });
            self.said.insert(said).is_ok()
        })
    }

    fn end(self: Box<Self>, outcome: Result<()>) {
        let said = self.said.unwrap_or_else(|| Err(Error::Closed.into()));
        // A caller that went away needs no answer.
        let _ = self.tell.send(outcome.map_err(E::from).and(said));
    }
}
