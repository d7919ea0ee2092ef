//! The runner: claims what is due, works it, keeps its lease, ends it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use berth_catalog::job::{self, Job, JobId, Outcome, State};
use berth_catalog::{Catalog, Result};
use jiff::SignedDuration;
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::schedule::Schedule;
use crate::{Failure, Handler, Work};

/// A worker that shows no sign of life this long loses its job.
const LEASE: SignedDuration = SignedDuration::from_secs(30);
/// How often a running job's lease and progress are written.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often the queue is looked at for jobs that another process enqueued.
const POLL: Duration = Duration::from_millis(500);
/// Jobs worked at one time by one runner.
const CONCURRENT: usize = 2;
/// Tries before a job that may be retried fails for good.
const ATTEMPTS: u64 = 8;

/// Works the jobs of one process.
#[derive(Clone)]
pub struct Runner {
    catalog: Catalog,
    worker: String,
    handlers: HashMap<&'static str, Arc<dyn Handler>>,
    schedules: Vec<Schedule>,
    wake: Arc<Notify>,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner")
            .field("worker", &self.worker)
            .field("kinds", &self.handlers.keys())
            .finish_non_exhaustive()
    }
}

impl Runner {
    /// Creates a runner with a name of its own.
    pub fn new(catalog: Catalog) -> Self {
        Self {
            catalog,
            worker: uuid::Uuid::new_v4().simple().to_string(),
            handlers: HashMap::new(),
            schedules: Vec::new(),
            wake: Arc::new(Notify::new()),
        }
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

    /// Looks at the queue at once; call it after a commit that enqueued.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Works jobs until `stop` turns true, then puts unfinished ones back.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<()> {
        for schedule in &self.schedules {
            schedule.ensure(&self.catalog).await?;
        }
        let mut working = JoinSet::new();
        while !*stop.borrow() {
            while working.try_join_next().is_some() {}
            if working.len() < CONCURRENT
                && let Some(job) = self.claim_due().await
            {
                let (runner, stop) = (self.clone(), stop.clone());
                working.spawn(async move { runner.work(job, stop).await });
                continue;
            }
            tokio::select! {
                () = self.wake.notified() => {}
                () = tokio::time::sleep(POLL) => {}
                _ = stop.wait_for(|stop| *stop) => {}
                Some(_) = working.join_next() => {}
            }
        }
        while working.join_next().await.is_some() {}
        Ok(())
    }

    /// Works jobs until `wanted` has ended, and returns it; for a command on a data directory without a server.
    pub async fn run_until_ended(self, wanted: JobId) -> Result<Option<Job>> {
        let catalog = self.catalog.clone();
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(Self { schedules: Vec::new(), ..self }.run(stopped));
        let ended = loop {
            let job = catalog.read(async |r| job::find(r, wanted).await).await?;
            match &job {
                Some(found) if matches!(found.state, State::Queued | State::Running) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                _ => break job,
            }
        };
        stop.send_replace(true);
        // A panic of the runner task would have kept the job open; the row is the truth.
        let _ = running.await;
        Ok(ended)
    }

    async fn claim_due(&self) -> Option<Job> {
        let now = self.catalog.clock().now();
        let due = self.catalog.read(async |r| job::is_due(r, now).await).await;
        if !matches!(due, Ok(true)) {
            return None;
        }
        let worker = self.worker.clone();
        let claimed =
            self.catalog.write(async move |tx| job::claim(tx, &worker, now, now + LEASE).await).await;
        claimed.unwrap_or_else(|error| {
            tracing::warn!(%error, "could not claim a job, trying again");
            None
        })
    }

    async fn work(&self, job: Job, stop: watch::Receiver<bool>) {
        let Some(handler) = self.handlers.get(job.kind.as_str()).cloned() else {
            let reason = format!("this binary knows no job kind {}", job.kind);
            return self.end(&job, Err(Failure::Permanent(reason))).await;
        };
        let (lost, work_stop) = watch::channel(false);
        let (progress, seen) = watch::channel(None);
        let work = Work { stop: work_stop, progress };
        let worked = {
            let job = job.clone();
            // A task of its own: a panicking handler fails its job, not the runner.
            tokio::spawn(async move { handler.run(&job, &work).await })
        };
        let outcome = tokio::select! {
            outcome = worked => outcome,
            never = self.keep_alive(&job, lost, seen, stop) => match never {},
        };
        let outcome =
            outcome.unwrap_or_else(|panic| Err(Failure::Retry(format!("handler panicked: {panic}"))));
        self.end(&job, outcome).await;
    }

    /// Renews the lease and writes progress every second; tells the handler to stop on shutdown or when the lease is lost.
    async fn keep_alive(
        &self,
        job: &Job,
        lost: watch::Sender<bool>,
        seen: watch::Receiver<Option<String>>,
        mut stop: watch::Receiver<bool>,
    ) -> std::convert::Infallible {
        loop {
            tokio::select! {
                () = tokio::time::sleep(HEARTBEAT) => {}
                _ = stop.wait_for(|stop| *stop), if !*lost.borrow() => { lost.send_replace(true); }
            }
            let (id, worker, progress) = (job.id, self.worker.clone(), seen.borrow().clone());
            let until = self.catalog.clock().now() + LEASE;
            let kept = self
                .catalog
                .write(async move |tx| job::renew(tx, id, &worker, until, progress.as_deref()).await)
                .await;
            if matches!(kept, Ok(false)) {
                lost.send_replace(true);
            }
        }
    }

    async fn end(&self, job: &Job, outcome: std::result::Result<Value, Failure>) {
        let now = self.catalog.clock().now();
        if let Err(failure) = &outcome {
            tracing::warn!(job = job.id.0, kind = job.kind, attempt = job.attempts, error = %failure, "job did not end well");
        }
        let outcome = match outcome {
            Ok(last) => Some(Outcome::Done(last.to_string())),
            Err(Failure::Stopped) => None,
            Err(Failure::Permanent(reason)) => Some(Outcome::Failed(reason)),
            Err(Failure::Retry(reason)) if job.attempts >= ATTEMPTS => Some(Outcome::Failed(reason)),
            Err(Failure::Retry(reason)) => Some(Outcome::Retry(reason, now + back_off(job.attempts))),
        };
        let (id, worker, schedule) = (job.id, self.worker.clone(), self.next_of(job));
        let ended = self
            .catalog
            .write(async move |tx| {
                let Some(outcome) = outcome else { return job::release(tx, id, &worker).await };
                let ended = job::finish(tx, id, &worker, &outcome, now).await?;
                match schedule {
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

/// Waits 1, 2, 4 … seconds, at most ten minutes.
fn back_off(attempts: u64) -> SignedDuration {
    SignedDuration::from_secs(1_i64 << attempts.saturating_sub(1).min(9)).min(SignedDuration::from_mins(10))
}
