//! The catalog on Postgres: many nodes, one database.
//!
//! One thread runs all units of work, many in one transaction, so that a caller who goes away cancels nothing; reads are awaited
//! where they are asked for, on connections that the same thread drives. Two tasks look after what a single writer gets for free:
//! the sealer and the watcher.

mod config;
mod connector;
pub(crate) mod export;
mod lane;
mod migrate;
pub(crate) mod moving;
mod pool;
mod reach;
mod replica;
mod sealer;
mod session;
mod tls;
mod transaction;
mod unit;
mod watch;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, timeout_at};

pub use config::PostgresConfig;
pub use reach::Outage;
pub use replica::ReplicaStats;
pub(crate) use sealer::count_unsealed;
pub(crate) use session::Session;
pub(crate) use watch::LEASE;

use crate::driver::Reader;
use crate::error::{Error, Failure, Remedy, Result};
use crate::migrate::Schema;
use crate::signals::Signals;
use crate::tx::Tx;
use connector::{Connection, Connector};
use migrate::Series;
use pool::Pool;
use replica::Replica;
use unit::{Unit, Work};

/// Units that may wait for the thread; beyond this, callers wait to hand theirs over.
const QUEUE_UNITS: usize = 4096;
/// Transactions of units at a time, unless there are too few connections.
const LANES: usize = 8;
/// Begins a view of one moment that is only read. Plans are those of units of work: by index.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL enable_seqscan = off; \
                        SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";
/// Whoever needs longer holds up the database's housekeeping for too long.
const LONGEST_SNAPSHOT: Duration = Duration::from_hours(24);
/// Between two tries to prepare the database at the start.
const PAUSE: Duration = Duration::from_millis(100);
/// For connections to say goodbye at the end.
const GOODBYE: Duration = Duration::from_millis(20);

/// What this process is to the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// One of those that serve it: migrates, and seals.
    Node,
    /// A command beside them.
    Visitor,
}

/// What lies in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Catalog,
    /// The audit trail, beside the catalog. Its units of work take the row of its head first, so they need not be serializable.
    Trail,
}

impl Kind {
    fn series(self) -> &'static Series {
        match self {
            Self::Catalog => &migrate::CATALOG,
            Self::Trail => &migrate::TRAIL,
        }
    }
}

/// What units of work and the tasks beside them share.
#[derive(Debug)]
pub(crate) struct Engine {
    kind: Kind,
    pool: Arc<Pool>,
    /// Answers lists when it can.
    replica: Option<Replica>,
    /// Transactions of units at a time.
    lanes: usize,
    /// One group of this node at a time takes its turn with those of others.
    turn: tokio::sync::Mutex<()>,
    /// Until when they take turns.
    crowded: parking_lot::Mutex<Option<Instant>>,
    /// Something was committed that the sealer may want to see.
    appended: Notify,
    lease: watch::Lease,
    signals: Arc<Signals>,
}

/// The catalog's end of a database.
#[derive(Debug)]
pub(crate) struct Database {
    units: Option<mpsc::Sender<Box<dyn Unit>>>,
    thread: Option<JoinHandle<()>>,
    engine: Arc<Engine>,
}

impl Database {
    /// Connects, and brings the schema up to date or checks it.
    pub(crate) async fn open(
        settings: &PostgresConfig,
        kind: Kind,
        role: Role,
        now: Timestamp,
    ) -> Result<Self> {
        let (units, given) = mpsc::channel(QUEUE_UNITS);
        let (tell, told) = oneshot::channel();
        let settings = settings.clone();
        let thread = std::thread::Builder::new()
            .name(if kind == Kind::Trail { "trail-postgres" } else { "catalog-postgres" }.into())
            .spawn(move || run(&settings, kind, given, tell))
            .map_err(|error| Error::Database(format!("cannot start the database thread: {error}")))?;
        let engine = told.await.map_err(|_| Error::Closed)??;
        let database = Self { units: Some(units), thread: Some(thread), engine };
        database.prepare(role, now).await?;
        Ok(database)
    }

    async fn prepare(&self, role: Role, now: Timestamp) -> Result<()> {
        let limit = Instant::now() + self.engine.pool.patience();
        loop {
            let mut lease = self.engine.pool.get(limit).await.map_err(|failure| failure.error)?;
            lease.set_fit(false);
            match prepare_on(self.engine.kind.series(), lease.connection(), role, now, limit).await {
                Ok(()) => {
                    lease.set_fit(true);
                    break;
                }
                Err(failure) if failure.remedy == Remedy::Reconnect && Instant::now() < limit => {}
                Err(failure) => return Err(failure.error),
            }
            sleep(pool::jittered(PAUSE)).await;
        }
        if self.engine.kind == Kind::Trail {
            return Ok(());
        }
        let runtime = self.engine.pool.connector().runtime();
        runtime.spawn(watch::run(Arc::clone(&self.engine)));
        if role == Role::Node {
            runtime.spawn(sealer::run(Arc::clone(&self.engine)));
        }
        Ok(())
    }

    /// Returns a reader outside of any transaction.
    pub(crate) fn reader(&self) -> Reader {
        Reader::postgres(Session::reading(Arc::clone(&self.engine.pool)))
    }

    /// Runs `body` on the replica, if there is one that has everything, or here.
    pub(crate) async fn list<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&Reader) -> Result<T, E> + Clone,
        E: From<Error>,
    {
        if let Some(replica) = &self.engine.replica
            && let Some(answer) = replica.list(&self.engine.pool, body.clone()).await
        {
            return Ok(answer);
        }
        body(&self.reader()).await
    }

    /// Returns how many lists the replica has answered, if there is one.
    pub(crate) fn replica_stats(&self) -> Option<ReplicaStats> {
        self.engine.replica.as_ref().map(Replica::stats)
    }

    /// Runs `body` in one read-only transaction.
    pub(crate) async fn snapshot<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&Reader) -> Result<T, E>,
        E: From<Error>,
    {
        self.view(SNAPSHOT, LONGEST_SNAPSHOT, body).await
    }

    /// Runs `body` in one read-only transaction that the database ends when it takes longer than `time`.
    pub(crate) async fn search<T, E, F>(&self, time: Duration, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&Reader) -> Result<T, E>,
        E: From<Error>,
    {
        let milliseconds = time.as_millis().max(1);
        // Its statements are made for one question: to compile them takes longer than most answers.
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {milliseconds}; SET LOCAL jit = off"
        );
        self.view(&begin, time, body).await
    }

    async fn view<T, E, F>(&self, begin: &str, longest: Duration, body: F) -> Result<T, E>
    where
        F: AsyncFnOnce(&Reader) -> Result<T, E>,
        E: From<Error>,
    {
        let pool = &self.engine.pool;
        let limit = Instant::now() + pool.patience();
        let mut lease = pool.get(limit).await.map_err(|failure| failure.error)?;
        // Nobody gets the connection while its transaction is open, whatever becomes of the body.
        lease.set_fit(false);
        transaction::within(limit, &lease, begin).await.map_err(|failure| failure.error)?;
        let session = Session::working(Arc::clone(pool), lease, Instant::now() + longest);
        let reader = Reader::postgres(session);
        let outcome = body(&reader).await;
        let limit = Instant::now() + pool.patience();
        if let Some(mut lease) = reader.shared().and_then(Session::take_lease)
            && transaction::within(limit, &lease, "COMMIT").await.is_ok()
        {
            lease.set_fit(true);
        }
        outcome
    }

    /// Hands `body` to the thread and waits until its changes are durable, or undone.
    pub(crate) async fn write<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let deadline = Instant::now() + self.engine.pool.patience();
        let units = self.units.as_ref().ok_or(Error::Closed)?;
        units.send(Box::new(Work::new(body, deadline, tell))).await.map_err(|_| Error::Closed)?;
        told.await.map_err(|_| E::from(Error::Closed))?
    }

    /// Tells whether this node may serve from memory now.
    pub(crate) fn memory_is_good(&self) -> bool {
        self.engine.lease.stands()
    }

    /// Returns how long ago the look began that this node last saw others' withdrawals by; `None` if it never did.
    pub(crate) fn memory_age(&self) -> Option<Duration> {
        self.engine.lease.age()
    }

    /// Returns the outage under way, if there is one.
    pub(crate) fn outage(&self) -> Option<Outage> {
        self.engine.pool.reach().outage()
    }

    pub(crate) fn signals(&self) -> &Arc<Signals> {
        &self.engine.signals
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.units = None;
        // A unit's body may hold the last clone of the catalog.
        if let Some(thread) =
            self.thread.take().filter(|thread| thread.thread().id() != std::thread::current().id())
        {
            let _ = thread.join();
        }
    }
}

/// Reads which schema of the catalog a database has.
pub(crate) async fn schema(settings: &PostgresConfig) -> Result<Schema> {
    let connector = Connector::new(settings, Handle::current())?;
    let limit = Instant::now() + settings.patience;
    let asked = async {
        let connection = connector.connect().await?;
        migrate::version(&migrate::CATALOG, &connection).await
    };
    let found = timeout_at(limit, asked).await.map_err(|_| Failure::silent()).flatten();
    Ok(Schema { found: found.map_err(|failure| failure.error)?, known: migrate::CATALOG.known() })
}

/// Migrates or checks. Most find nothing to do, and need no more rights than to read; only a migration may take long.
async fn prepare_on(
    series: &'static Series,
    connection: &Connection,
    role: Role,
    now: Timestamp,
    limit: Instant,
) -> Result<(), Failure> {
    let found = timeout_at(limit, migrate::version(series, connection)).await;
    let schema = Schema { found: found.map_err(|_| Failure::silent())??, known: series.known() };
    match role {
        Role::Node if schema.found < schema.known => migrate::migrate(series, connection, now).await,
        Role::Node | Role::Visitor => schema.check().map_err(Failure::last),
    }
}

/// The thread: drives every connection, runs every unit, and at the end waits for those it was given.
fn run(
    settings: &PostgresConfig,
    kind: Kind,
    units: mpsc::Receiver<Box<dyn Unit>>,
    tell: oneshot::Sender<Result<Arc<Engine>>>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = tell.send(Err(Error::Database(format!("cannot start the database runtime: {error}"))));
            return;
        }
    };
    let engine = match Engine::new(settings, kind, runtime.handle()) {
        Ok(engine) => Arc::new(engine),
        Err(error) => {
            let _ = tell.send(Err(error));
            return;
        }
    };
    let _ = tell.send(Ok(Arc::clone(&engine)));
    LocalSet::new().block_on(&runtime, lane::run_all(&engine, units));
    engine.pool.clear();
    if let Some(replica) = &engine.replica {
        replica.clear();
    }
    runtime.block_on(async { sleep(GOODBYE).await });
    runtime.shutdown_background();
}

impl Engine {
    fn new(settings: &PostgresConfig, kind: Kind, runtime: &Handle) -> Result<Self> {
        let connector = Connector::new(settings, runtime.clone())?;
        Ok(Self {
            kind,
            pool: Arc::new(Pool::new(connector, settings.pool, settings.patience)),
            replica: settings
                .replica_url
                .as_deref()
                .map(|url| Replica::new(settings, url, runtime))
                .transpose()?,
            lanes: LANES.min(settings.pool.div_ceil(2)),
            turn: tokio::sync::Mutex::default(),
            crowded: parking_lot::Mutex::default(),
            appended: Notify::new(),
            lease: watch::Lease::new(),
            signals: Arc::new(Signals::new(0)),
        })
    }

    /// Tells whether units of this node met others a moment ago.
    fn is_crowded(&self) -> bool {
        // The trail takes turns at its head, and must wait for no push.
        self.kind == Kind::Catalog && self.crowded.lock().is_some_and(|until| Instant::now() < until)
    }

    fn set_crowded(&self, time: Duration) {
        *self.crowded.lock() = Some(Instant::now() + time);
    }
}
