//! The network arm of the driver seam: statements on a borrowed connection.

use std::fmt;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use futures_util::future::{BoxFuture, join};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};

use super::connector::Connection;
use super::pool::{Lease, Pool};
use crate::driver::{Owned, Param, Row};
use crate::error::{Error, Failure, Remedy, Result};

/// Answers that may be on their way before one waits for them.
const MOST_POSTED: usize = 256;
/// A statement that waits no longer than this yet is no sign of a database that is gone.
const YOUNG: Duration = Duration::from_secs(1);

/// The statements of one read, or of one try of a group of units of work.
pub(crate) struct Session {
    pool: Arc<Pool>,
    held: Mutex<Option<Lease>>,
    /// When a unit of work has to end; `None` for a read, whose statements are each on their own.
    deadline: Option<Instant>,
    /// Why the transaction can't stand any more.
    trouble: Mutex<Option<Failure>>,
    /// Statements that may have changed a row.
    writes: AtomicU64,
    /// Answers to what was sent without waiting.
    posted: Mutex<Vec<Answer>>,
}

type Answer = BoxFuture<'static, Result<(), tokio_postgres::Error>>;

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("trouble", &self.trouble)
            .field("writes", &self.writes)
            .finish_non_exhaustive()
    }
}

/// Why the end of a transaction was not confirmed.
pub(crate) struct Unended {
    pub(crate) failure: Failure,
    /// The server refused a statement before the last, so nothing of the transaction stands.
    pub(crate) undone: bool,
}

/// Why a statement gave no answer.
enum Stop {
    Failed(Failure),
    /// The reader of its rows did not like one.
    Refused(Error),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<tokio_postgres::Error> for Stop {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl Session {
    /// Reads outside of any transaction, on a connection that the first statement borrows.
    pub(crate) fn reading(pool: Arc<Pool>) -> Self {
        Self::new(pool, None, None)
    }

    /// Works in the transaction that is open on `lease`.
    pub(crate) fn working(pool: Arc<Pool>, lease: Lease, deadline: Instant) -> Self {
        Self::new(pool, Some(lease), Some(deadline))
    }

    fn new(pool: Arc<Pool>, lease: Option<Lease>, deadline: Option<Instant>) -> Self {
        Self {
            pool,
            held: Mutex::new(lease),
            deadline,
            trouble: Mutex::default(),
            writes: 0.into(),
            posted: Mutex::default(),
        }
    }

    /// Returns why the transaction is lost, if it is.
    pub(crate) fn trouble(&self) -> Option<Failure> {
        self.trouble.lock().clone()
    }

    /// Counts the statements that may have changed a row.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// Tells whether the connection is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.held.lock().as_ref().is_none_or(|lease| lease.connection().is_closed())
    }

    /// Takes the connection out.
    pub(crate) fn take_lease(&self) -> Option<Lease> {
        self.held.lock().take()
    }

    /// Hands out row after row until there are no more, or `see` has enough. Returns how many rows were changed.
    pub(crate) async fn each(
        &self,
        sql: &'static str,
        params: &[Param<'_>],
        mut see: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<u64> {
        if let Some(failure) = self.trouble() {
            return Err(failure.error);
        }
        if !sql.starts_with("SELECT") {
            self.writes.fetch_add(1, Ordering::Relaxed);
        }
        let limit = self.deadline.unwrap_or_else(|| Instant::now() + self.pool.patience());
        loop {
            let connection = self.connection(limit).await?;
            let mut handed = false;
            let mut see = |row: &Row<'_>| {
                handed = true;
                see(row)
            };
            let running = self.behind(run(&connection, sql, params, &mut see, self.deadline.is_some()));
            let begun = Instant::now();
            let failure = match self.pool.reach().answer(limit, running).await {
                Some(Ok(changed)) => return Ok(changed),
                // What the rest of its answer would have said is not known.
                Some(Err(Stop::Refused(error))) if self.deadline.is_some() => Failure::last(error),
                Some(Err(Stop::Refused(error))) => return Err(error),
                Some(Err(Stop::Failed(failure))) => failure,
                // The time of the unit is over; that one statement was slow is not said by it.
                None if self.deadline.is_some_and(|deadline| deadline <= Instant::now())
                    && begun.elapsed() < YOUNG =>
                {
                    Failure::last(Error::Busy)
                }
                None => Failure::silent(),
            };
            if self.deadline.is_some() {
                return Err(self.give_up(failure));
            }
            if failure.remedy != Remedy::Reconnect {
                return Err(failure.error);
            }
            self.discard();
            let over = Instant::now() >= limit;
            if !over {
                // What ended this connection has mostly ended those that lie idle, too; a slow statement has not.
                self.pool.clear();
            }
            if handed || over {
                return Err(failure.error);
            }
        }
    }

    /// Hands out the rows of a statement that was made for this one question; only in a transaction.
    pub(crate) async fn ask(
        &self,
        sql: &str,
        params: &[Param<'_>],
        mut see: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let limit = self.deadline.ok_or(Error::Closed)?;
        let connection = self.connection(limit).await?;
        let typed = params.iter().map(|param| (*param, param.postgres_type()));
        let asking = async {
            let mut rows = pin!(connection.client().query_typed_raw(sql, typed).await?);
            while let Some(row) = rows.try_next().await? {
                if see(&Row::postgres(&row)).map_err(Stop::Refused)?.is_break() {
                    break;
                }
            }
            Ok(())
        };
        match timeout_at(limit, asking).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Stop::Refused(error))) => Err(error),
            // It was the statement's time that ended it.
            Ok(Err(Stop::Failed(Failure { error: Error::Busy, remedy: Remedy::None }))) | Err(_) => {
                Err(Error::TooSlow)
            }
            Ok(Err(Stop::Failed(failure))) => Err(failure.error),
        }
    }

    /// Sends a statement, and leaves its answer to be heard later: it fails the transaction, and so whatever comes after it.
    pub(crate) async fn post(&self, sql: &'static str, params: &[Param<'_>]) -> Result<()> {
        if let Some(failure) = self.trouble() {
            return Err(failure.error);
        }
        self.writes.fetch_add(1, Ordering::Relaxed);
        let limit = self.deadline.ok_or(Error::Closed)?;
        let connection = self.connection(limit).await?;
        if self.posted.lock().len() >= MOST_POSTED {
            self.in_time(limit, self.hear()).await?;
        }
        let statement = if connection.is_prepared(sql) {
            connection.prepare(sql, &[]).await.map_err(|failure| self.give_up(failure))?
        } else {
            self.in_time(limit, self.behind(connection.prepare(sql, &[]))).await?
        };
        let params = params.iter().map(Owned::from).collect();
        self.add(Box::pin(connection.execute(statement, sql, params))).await;
        Ok(())
    }

    /// Waits for an answer, and for those to what was sent before. The driver hands answers on in their order, and only to who
    /// listens.
    async fn behind<T, E: From<Failure>>(&self, answer: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let (heard, answered) = join(self.hear(), answer).await;
        heard?;
        answered
    }

    async fn in_time<T>(
        &self,
        limit: Instant,
        answer: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T> {
        let answered = self.pool.reach().answer(limit, answer).await;
        answered.unwrap_or_else(|| Err(Failure::silent())).map_err(|failure| self.give_up(failure))
    }

    /// Sends what opens or ends the transaction in the same way.
    pub(crate) async fn post_batch(&self, sql: String) {
        let connection = self.held.lock().as_ref().map(|lease| Arc::clone(lease.connection()));
        if let Some(connection) = connection {
            self.add(Box::pin(async move { connection.batch(&sql).await })).await;
        }
    }

    /// Polling once is what sends it. What fails at once was never sent.
    async fn add(&self, mut answer: Answer) {
        match futures_util::poll!(&mut answer) {
            Poll::Pending => self.posted.lock().push(answer),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => drop(self.give_up(error.into())),
        }
    }

    /// Waits for the answers to what was sent so far. The first failure is what ended the transaction.
    pub(crate) fn hear(&self) -> impl Future<Output = Result<(), Failure>> + use<> {
        let posted = std::mem::take(&mut *self.posted.lock());
        async move {
            for answer in posted {
                answer.await?;
            }
            Ok(())
        }
    }

    /// Hears everything up to the answer to what ended the transaction, which was sent last.
    pub(crate) async fn hear_end(&self, limit: Instant) -> Result<(), Unended> {
        let posted = std::mem::take(&mut *self.posted.lock());
        let last = posted.len().saturating_sub(1);
        let hearing = async move {
            for (index, answer) in posted.into_iter().enumerate() {
                answer.await.map_err(|error| Unended {
                    undone: index < last && error.as_db_error().is_some(),
                    failure: error.into(),
                })?;
            }
            Ok(())
        };
        let silent = || Err(Unended { undone: false, failure: Failure::silent() });
        self.pool.reach().answer(limit, hearing).await.unwrap_or_else(silent)
    }

    /// Notes that the transaction is lost, and why.
    pub(crate) fn give_up(&self, failure: Failure) -> Error {
        let error = failure.error.clone();
        // Of two that were on their way at one time the first is to blame.
        self.trouble.lock().get_or_insert(failure);
        error
    }

    /// Returns the connection that is held; a read that holds none, or a dead one, borrows another.
    async fn connection(&self, limit: Instant) -> Result<Arc<Connection>> {
        if let Some(lease) = &*self.held.lock()
            && (self.deadline.is_some() || !lease.connection().is_closed())
        {
            return Ok(Arc::clone(lease.connection()));
        }
        if self.deadline.is_some() {
            return Err(Error::Closed);
        }
        self.discard();
        let lease = self.pool.get(limit).await.map_err(|failure| failure.error)?;
        let connection = Arc::clone(lease.connection());
        *self.held.lock() = Some(lease);
        Ok(connection)
    }

    fn discard(&self) {
        if let Some(mut lease) = self.take_lease() {
            lease.set_fit(false);
        }
    }
}

/// Runs one statement. In a transaction it is heard to its end: what fails after the first row must not be missed.
async fn run(
    connection: &Connection,
    sql: &'static str,
    params: &[Param<'_>],
    see: &mut impl FnMut(&Row<'_>) -> Result<ControlFlow<()>>,
    to_the_end: bool,
) -> Result<u64, Stop> {
    let mut rows = pin!(connection.stream(sql, params).await?);
    let mut enough = false;
    while let Some(row) = rows.try_next().await? {
        enough = enough || see(&Row::postgres(&row)).map_err(Stop::Refused)?.is_break();
        if enough && !to_the_end {
            return Ok(0);
        }
    }
    Ok(rows.rows_affected().unwrap_or(0))
}
