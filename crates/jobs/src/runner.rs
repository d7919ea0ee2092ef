//! The runner: claims what is due, works it, keeps its lease, ends it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use berth_catalog::job::{self, Job, JobId, Outcome, State};
use berth_catalog::{Catalog, Result, hold};
use jiff::SignedDuration;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::schedule::{Schedule, after};
use crate::{Failure, Handler, Work};

/// A worker that shows no sign of life this long loses its job.
const LEASE: SignedDuration = SignedDuration::from_secs(30);
/// How often a running job's lease and progress are written.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often the queue is looked at for what is due and for jobs that another process enqueued.
const POLL: Duration = Duration::from_millis(500);
/// How long the catalog is left alone after it failed.
const TROUBLE: Duration = Duration::from_secs(5);
/// How often the schedules are compared with the queue: a clock that was wrong may have put the next run years away.
const PLAN: Duration = Duration::from_mins(10);
/// Tries before a job that may be retried fails for good.
const ATTEMPTS: u64 = 8;

/// Works the jobs of one process, one of each kind at a time: a scrub of days keeps no other kind waiting.
#[derive(Clone)]
pub struct Runner {
    catalog: Catalog,
    handlers: HashMap<&'static str, Arc<dyn Handler>>,
    schedules: Vec<Schedule>,
    hold: Option<watch::Receiver<bool>>,
}

/// A job and the lease that this claim of it holds.
#[derive(Debug)]
struct Claim {
    job: Job,
    lease: String,
}

/// Tries at work, by job.
type Working = HashMap<JobId, JoinHandle<()>>;

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("kinds", &self.handlers.keys()).finish_non_exhaustive()
    }
}

impl Runner {
    /// Creates a runner that knows no kind yet.
    pub fn new(catalog: Catalog) -> Self {
        Self { catalog, handlers: HashMap::new(), schedules: Vec::new(), hold: None }
    }

    /// Registers who works a kind.
    #[must_use]
    pub fn handle(mut self, kind: &'static str, handler: Arc<dyn Handler>) -> Self {
        self.handlers.insert(kind, handler);
        self
    }

    /// Registers a schedule.
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedules.push(schedule);
        self
    }

    /// Rests while `hold` is true: begins no job, and asks those at work to stop, which puts them back to go on later.
    #[must_use]
    pub fn hold_while(mut self, hold: watch::Receiver<bool>) -> Self {
        self.hold = Some(hold);
        self
    }

    /// Works jobs until `stop` turns true or its sender goes, then puts unfinished ones back. What fails is logged and tried
    /// again.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut working = Working::new();
        let mut planned: Option<Instant> = None;
        while !is_stopped(&stop) {
            working.retain(|_, trial| !trial.is_finished());
            let wait = match self.turn(&mut planned, &mut working, &stop).await {
                Ok(()) => POLL,
                Err(error) => {
                    tracing::warn!(%error, "the job queue can't be worked, trying again");
                    TROUBLE
                }
            };
            // Both ends of the wait mean the same: look again.
            let _ = tokio::time::timeout(wait, stop.wait_for(|stop| *stop)).await;
        }
        for trial in working.into_values() {
            // A panic was logged where it happened; the row keeps its lease until that ends.
            let _ = trial.await;
        }
    }

    /// Works one job until it has ended, and returns it; for a command alone on a data directory, whose repair has freed
    /// every lease. Returns `None` if there is no such job.
    pub async fn run_until_ended(&self, wanted: JobId) -> Result<Option<Job>> {
        // Nobody stops it but the end of the process.
        let (_stop, stopped) = watch::channel(false);
        loop {
            if let Some(claim) = self.claim(Some(wanted), &Working::new()).await? {
                self.work(claim, stopped.clone()).await;
            }
            let job = self.catalog.read(async |r| job::find(r, wanted).await).await?;
            match job {
                Some(job) if matches!(job.state, State::Queued | State::Running) => sleep(POLL).await,
                ended => return Ok(ended),
            }
        }
    }

    /// Keeps the schedules now and then, and begins whatever is due.
    async fn turn(
        &self,
        planned: &mut Option<Instant>,
        working: &mut Working,
        stop: &watch::Receiver<bool>,
    ) -> Result<()> {
        let mut plan = Ok(());
        if planned.is_none_or(|at| at.elapsed() >= PLAN) && !self.is_held() {
            plan = self.plan().await;
            if plan.is_ok() {
                *planned = Some(Instant::now());
            }
        }
        while let Some(claim) = self.claim(None, working).await? {
            let (id, runner, stop) = (claim.job.id, self.clone(), stop.clone());
            working.insert(id, tokio::spawn(async move { runner.work(claim, stop).await }));
        }
        plan
    }

    async fn plan(&self) -> Result<()> {
        for schedule in &self.schedules {
            schedule.plan(&self.catalog).await?;
        }
        Ok(())
    }

    fn is_held(&self) -> bool {
        self.hold.as_ref().is_some_and(|hold| *hold.borrow())
    }

    async fn claim(&self, wanted: Option<JobId>, working: &Working) -> Result<Option<Claim>> {
        if self.is_held() {
            return Ok(None);
        }
        let now = self.catalog.clock().now();
        // A look costs microseconds, an empty unit of work a commit.
        let due = self.catalog.read(async |r| job::find_due(r, wanted, now).await).await?;
        // Work of this runner whose lease ended: the machine slept or the catalog stood still, and the next heartbeat renews it.
        if due.is_none_or(|id| working.contains_key(&id)) {
            return Ok(None);
        }
        let (lease, clock) = (uuid::Uuid::new_v4().simple().to_string(), self.catalog.clock().clone());
        let claimed = {
            let lease = lease.clone();
            self.catalog
                .write(async move |tx| {
                    // Only now: the unit may have waited.
                    let now = clock.now();
                    match job::find_due(tx, wanted, now).await? {
                        Some(id) if due == Some(id) => job::claim(tx, id, &lease, after(now, LEASE)).await,
                        _ => Ok(None),
                    }
                })
                .await
        };
        Ok(claimed?.map(|job| Claim { job, lease }))
    }

    async fn work(&self, claim: Claim, stop: watch::Receiver<bool>) {
        if hold::is_hold(&claim.job.payload) {
            // It only kept others from beginning, and whoever held it is gone.
            return self.end(&claim, Ok(Value::Null)).await;
        }
        let Some(handler) = self.handlers.get(claim.job.kind.as_str()).cloned() else {
            let reason = format!("this binary knows no job kind {}", claim.job.kind);
            return self.end(&claim, Err(Failure::Permanent(reason))).await;
        };
        let (lost, work_stop) = watch::channel(false);
        let (progress, seen) = watch::channel(None);
        let work = Work { stop: Some(work_stop), progress };
        let worked = {
            let job = claim.job.clone();
            // A task of its own: a panicking handler fails its job, not the runner.
            tokio::spawn(async move { handler.run(&job, &work).await })
        };
        let outcome = tokio::select! {
            outcome = worked => outcome,
            never = self.keep_alive(&claim, lost, seen, stop) => match never {},
        };
        let outcome =
            outcome.unwrap_or_else(|panic| Err(Failure::Retry(format!("handler panicked: {panic}"))));
        self.end(&claim, outcome).await;
    }

    /// Renews the lease and writes progress every second; tells the handler to stop on shutdown, on hold, or when the lease is lost.
    async fn keep_alive(
        &self,
        claim: &Claim,
        lost: watch::Sender<bool>,
        seen: watch::Receiver<Option<String>>,
        mut stop: watch::Receiver<bool>,
    ) -> std::convert::Infallible {
        let mut hold = self.hold.clone();
        loop {
            tokio::select! {
                () = sleep(HEARTBEAT) => {}
                () = held(hold.as_mut()), if !*lost.borrow() => { lost.send_replace(true); }
                () = stopped(&mut stop), if !*lost.borrow() => { lost.send_replace(true); }
            }
            let (id, lease, progress) = (claim.job.id, claim.lease.clone(), seen.borrow().clone());
            let clock = self.catalog.clock().clone();
            let kept = self
                .catalog
                .write(async move |tx| {
                    job::renew(tx, id, &lease, after(clock.now(), LEASE), progress.as_deref()).await
                })
                .await;
            match kept {
                Ok(true) => {}
                Ok(false) => {
                    lost.send_replace(true);
                }
                Err(error) => {
                    tracing::warn!(job = id.0, %error, "could not renew a job's lease, trying again");
                }
            }
        }
    }

    async fn end(&self, claim: &Claim, outcome: std::result::Result<Value, Failure>) {
        let (job, now) = (&claim.job, self.catalog.clock().now());
        match &outcome {
            Ok(_) => {}
            Err(Failure::Stopped) => tracing::debug!(job = job.id.0, kind = job.kind, "put a job back"),
            Err(failure) => {
                tracing::warn!(job = job.id.0, kind = job.kind, attempt = job.attempts, error = %failure, "job did not end well");
            }
        }
        let outcome = match outcome {
            Ok(last) => Some(Outcome::Done(last.to_string())),
            Err(Failure::Stopped) => None,
            Err(Failure::Permanent(reason)) => Some(Outcome::Failed(reason)),
            Err(Failure::Retry(reason)) if job.attempts >= ATTEMPTS => Some(Outcome::Failed(reason)),
            Err(Failure::Retry(reason)) => Some(Outcome::Retry(reason, after(now, back_off(job.attempts)))),
        };
        let (id, lease, schedule) = (job.id, claim.lease.clone(), self.next_of(job));
        let ended = self
            .catalog
            .write(async move |tx| {
                let Some(outcome) = &outcome else { return job::release(tx, id, &lease).await };
                let ended = job::finish(tx, id, &lease, outcome, now).await?;
                match &schedule {
                    Some(schedule) if ended && !matches!(outcome, Outcome::Retry(..)) => {
                        schedule.enqueue(tx, now).await
                    }
                    _ => Ok(()),
                }
            })
            .await;
        if let Err(error) = ended {
            tracing::error!(job = id.0, %error, "could not note the end of a job; it will run again when its lease ends");
        }
    }

    fn next_of(&self, job: &Job) -> Option<Schedule> {
        self.schedules.iter().find(|schedule| job.slot.as_deref() == Some(schedule.kind)).cloned()
    }
}

/// Tells whether `stop` is true, or nobody is left who could make it so.
fn is_stopped(stop: &watch::Receiver<bool>) -> bool {
    *stop.borrow() || stop.has_changed().is_err()
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error says that the sender is gone, which is a stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Resolves when the runner has to rest; never if nobody can say so.
async fn held(hold: Option<&mut watch::Receiver<bool>>) {
    if let Some(hold) = hold
        && hold.wait_for(|hold| *hold).await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// Waits 1, 2, 4 … seconds, at most ten minutes.
fn back_off(attempts: u64) -> SignedDuration {
    SignedDuration::from_secs(1_i64 << attempts.saturating_sub(1).min(10)).min(SignedDuration::from_mins(10))
}
