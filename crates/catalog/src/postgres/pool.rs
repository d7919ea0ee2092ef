//! The pool that requests and jobs share.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};

use super::connector::{Connection, Connector};
use super::reach::Reach;
use crate::error::{Error, Failure, Remedy, Result};

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(100);

/// Connections that are idle, and room for more.
#[derive(Debug)]
pub(crate) struct Pool {
    connector: Connector,
    room: Arc<Semaphore>,
    idle: Mutex<Vec<Arc<Connection>>>,
    patience: Duration,
    reach: Reach,
}

impl Pool {
    pub(crate) fn new(connector: Connector, size: usize, patience: Duration) -> Self {
        let room = Arc::new(Semaphore::new(size));
        Self { connector, room, idle: Mutex::default(), patience, reach: Reach::new(patience) }
    }

    pub(crate) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// Returns how long work waits.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// Returns whether the database can be reached.
    pub(crate) fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Borrows a connection, making one if none is idle. While the database is known to be out of reach it waits for the watcher's
    /// word instead of trying for itself.
    pub(crate) async fn get(self: &Arc<Self>, limit: Instant) -> Result<Lease, Failure> {
        let limit = self.reach.limit(limit)?;
        let room = timeout_at(limit, Arc::clone(&self.room).acquire_owned())
            .await
            .map_err(|_| self.reach.limit(limit).err().unwrap_or_else(|| Failure::last(Error::Busy)))?
            .map_err(|_| Failure::last(Error::Closed))?;
        loop {
            self.reach.wait(self.reach.limit(limit)?).await;
            let limit = self.reach.limit(limit)?;
            if let Some(connection) = self.pop() {
                return Ok(self.lease(connection, room));
            }
            let failure = match timeout_at(limit, self.connector.connect()).await {
                Ok(Ok(connection)) => return Ok(self.lease(Arc::new(connection), room)),
                Ok(Err(failure)) => failure,
                Err(_) => Failure::silent(),
            };
            if failure.remedy != Remedy::Reconnect || Instant::now() + PAUSE >= limit {
                return Err(Failure::last(match failure.error {
                    Error::Database(text) => Error::Unavailable(text),
                    error => error,
                }));
            }
            sleep(jittered(PAUSE)).await;
        }
    }

    /// Lets go of every idle connection: their server is gone, or no longer the one to ask.
    pub(crate) fn clear(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(idle);
    }

    fn pop(&self) -> Option<Arc<Connection>> {
        let mut idle = self.idle.lock();
        std::iter::from_fn(|| idle.pop()).find(|connection| !connection.is_closed())
    }

    fn lease(self: &Arc<Self>, connection: Arc<Connection>, room: OwnedSemaphorePermit) -> Lease {
        Lease { connection, pool: Arc::clone(self), fit: true, _room: room }
    }
}

/// A connection on loan; goes back to the pool when dropped, if it is fit for that.
#[derive(Debug)]
pub(crate) struct Lease {
    connection: Arc<Connection>,
    pool: Arc<Pool>,
    fit: bool,
    _room: OwnedSemaphorePermit,
}

impl Lease {
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Says whether the next borrower may have the connection.
    pub(crate) fn set_fit(&mut self, fit: bool) {
        self.fit = fit;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.fit && !self.connection.is_closed() {
            self.pool.idle.lock().push(Arc::clone(&self.connection));
        }
    }
}

/// Spreads a pause between its half and one and a half of it, so that those who met once don't meet again.
pub(super) fn jittered(pause: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    pause.mul_f64(0.5 + f64::from(random) / f64::from(u32::MAX))
}
