//! The runner on a real catalog, with handlers that do what the test says.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by panicking")]

mod hold;
mod run;
mod schedule;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use berth_catalog::job::{self, Job, JobId, NewJob, State};
use berth_catalog::{Catalog, Clock, PostgresConfig};
use berth_engines::Postgres;
use berth_jobs::{Failure, Handler, Runner, Work};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Which database a test runs on.
#[derive(Debug, Clone, Copy)]
enum On {
    Sqlite,
    Postgres,
}

/// Makes two tests of each function: one on SQLite, one on PostgreSQL.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test($crate::On::Sqlite).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$test($crate::On::Postgres).await;
            })*
        }
    };
}
use on_both;

/// A catalog of its own, under a clock that stands still.
struct Fixture {
    catalog: Catalog,
    clock: Clock,
    dir: TempDir,
}

impl Fixture {
    async fn new(on: On) -> Self {
        let dir = TempDir::new().unwrap();
        let clock = Clock::manual(Timestamp::from_second(1_700_000_000).unwrap());
        let catalog = match on {
            On::Sqlite => Catalog::open(&dir.path().join("catalog.db"), clock.clone()),
            On::Postgres => {
                let config = PostgresConfig::new(Postgres::shared().database());
                let config = PostgresConfig { pool: 4, patience: PATIENCE, ..config };
                Catalog::connect(&config, clock.clone()).await
            }
        };
        Self { catalog: catalog.unwrap(), clock, dir }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn runner(&self, kind: &'static str, deed: &Deed) -> Runner {
        Runner::new(self.catalog.clone()).handle(kind, Arc::new(deed.clone()))
    }

    async fn enqueue(&self, kind: &'static str) -> JobId {
        self.enqueue_in(kind, None).await
    }

    async fn enqueue_in(&self, kind: &'static str, slot: Option<&str>) -> JobId {
        let now = self.now();
        let new = NewJob { kind, slot: slot.map(Into::into), payload: "{}".into(), run_at: now };
        self.catalog.write(async move |tx| job::enqueue(tx, &new, now).await).await.unwrap().unwrap()
    }

    async fn find(&self, id: JobId) -> Option<Job> {
        self.catalog.read(async |r| job::find(r, id).await).await.unwrap()
    }

    /// Finds the first, second, … of the jobs that there are. PostgreSQL leaves gaps between the ids that it gives.
    async fn find_nth(&self, number: usize) -> Option<Job> {
        let mut left = number;
        for id in 1..50 {
            let found = self.find(JobId(id)).await;
            left -= usize::from(found.is_some());
            if left == 0 {
                return found;
            }
        }
        None
    }

    /// Waits until a job is as `is` wants it.
    async fn wait_for(&self, id: JobId, is: impl Fn(&Job) -> bool) -> Job {
        Self::wait(async || self.find(id).await, is).await
    }

    async fn wait_for_nth(&self, number: usize, is: impl Fn(&Job) -> bool) -> Job {
        Self::wait(async || self.find_nth(number).await, is).await
    }

    async fn wait(find: impl AsyncFn() -> Option<Job>, is: impl Fn(&Job) -> bool) -> Job {
        let mut last = None;
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            last = find().await;
            if let Some(job) = last.clone().filter(&is) {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("in vain: {last:?}");
    }

    async fn wait_for_state(&self, id: JobId, state: State) -> Job {
        self.wait_for(id, |job| job.state == state).await
    }
}

/// A runner at work.
struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(runner: Runner) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: tokio::spawn(runner.run(stopped)) }
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

/// What a handler does at each try; the last goes for all further ones.
#[derive(Debug, Clone)]
struct Deed {
    steps: Arc<Mutex<Vec<Step>>>,
    tries: watch::Sender<Vec<JobId>>,
    stops: watch::Sender<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Done,
    Retry,
    Permanent,
    Panic,
    /// Works until it is asked to stop.
    Stay,
}

impl Deed {
    fn new(steps: &[Step]) -> Self {
        let steps = Arc::new(Mutex::new(steps.to_vec()));
        Self { steps, tries: watch::Sender::default(), stops: watch::Sender::default() }
    }

    /// Returns the jobs tried so far.
    fn tries(&self) -> Vec<JobId> {
        self.tries.borrow().clone()
    }

    async fn wait_for_tries(&self, count: usize) {
        let mut tries = self.tries.subscribe();
        tokio::time::timeout(PATIENCE, tries.wait_for(|tries| tries.len() >= count)).await.unwrap().unwrap();
    }

    async fn wait_for_a_stop(&self) {
        let mut stops = self.stops.subscribe();
        tokio::time::timeout(PATIENCE, stops.wait_for(|stops| *stops > 0)).await.unwrap().unwrap();
    }
}

#[async_trait]
impl Handler for Deed {
    async fn run(&self, job: &Job, work: &Work) -> Result<Value, Failure> {
        self.tries.send_modify(|tries| tries.push(job.id));
        let step = {
            let mut steps = self.steps.lock();
            if steps.len() > 1 { steps.remove(0) } else { steps[0] }
        };
        match step {
            Step::Done => Ok(json!({"done": 1})),
            Step::Retry => Err(Failure::Retry("not yet".into())),
            Step::Permanent => Err(Failure::Permanent("never".into())),
            Step::Panic => panic!("as told"),
            Step::Stay => {
                work.report(&json!({"stays": true}));
                while !work.should_stop() {
                    work.pause(PATIENCE).await;
                }
                self.stops.send_modify(|stops| *stops += 1);
                Err(Failure::Stopped)
            }
        }
    }
}

fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}
