//! The network arm of the driver seam: statements on a borrowed connection.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};

use super::connector::Connection;
use super::pool::{Lease, Pool};
use crate::driver::{Param, Row};
use crate::error::{Error, Failure, Remedy, Result};

/// A statement that waits no longer than this yet is no sign of a database that is gone.
const YOUNG: Duration = Duration::from_secs(1);

/// The statements of one read, or of one try of a unit of work.
#[derive(Debug)]
pub(crate) struct Session {
    pool: Arc<Pool>,
    held: Mutex<Option<Lease>>,
    /// When a unit of work has to end; `None` for a read, whose statements are each on their own.
    deadline: Option<Instant>,
    /// Why the transaction can't stand any more.
    trouble: Mutex<Option<Failure>>,
    wrote: AtomicBool,
}

/// Why a statement gave no answer.
enum Stop {
    Failed(Failure),
    /// The reader of its rows did not like one.
    Refused(Error),
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
        Self { pool, held: Mutex::new(lease), deadline, trouble: Mutex::default(), wrote: false.into() }
    }

    /// Returns why the transaction is lost, if it is.
    pub(crate) fn trouble(&self) -> Option<Failure> {
        self.trouble.lock().clone()
    }

    /// Tells whether any statement may have changed a row.
    pub(crate) fn wrote(&self) -> bool {
        self.wrote.load(Ordering::Relaxed)
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
            self.wrote.store(true, Ordering::Relaxed);
        }
        let limit = self.deadline.unwrap_or_else(|| Instant::now() + self.pool.patience());
        loop {
            let connection = self.connection(limit).await?;
            let mut handed = false;
            let mut see = |row: &Row<'_>| {
                handed = true;
                see(row)
            };
            let running = run(&connection, sql, params, &mut see, self.deadline.is_some());
            let begun = Instant::now();
            let answer = match self.deadline {
                Some(deadline) => timeout_at(deadline, running).await.ok(),
                None => self.pool.reach().answer(limit, running).await,
            };
            let failure = match answer {
                Some(Ok(changed)) => return Ok(changed),
                Some(Err(Stop::Refused(error))) => return Err(error),
                Some(Err(Stop::Failed(failure))) => failure,
                // The time of the unit is over; that one statement was slow is not said by it.
                None if self.deadline.is_some() && begun.elapsed() < YOUNG => Failure::last(Error::Busy),
                None => Failure::silent(),
            };
            if self.deadline.is_some() {
                *self.trouble.lock() = Some(failure.clone());
                return Err(failure.error);
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
