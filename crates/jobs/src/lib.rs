//! Durable background work: a runner that claims jobs under leases, keeps schedules, and reports progress on each job's row.
//!
//! Rooms above register a [`Handler`] per job kind; rows and `enqueue` live in `berth_catalog::job`. This room calls the catalog
//! and nobody else.

mod runner;
mod schedule;

use std::time::Duration;

use async_trait::async_trait;
use berth_catalog::job::Job;
use serde_json::Value;
use tokio::sync::watch;

pub use runner::Runner;
pub use schedule::Schedule;

/// Works the jobs of one kind. A handler may be cut off at any point and run again: it must be idempotent.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Works a job; the value returned is the job's last progress.
    async fn run(&self, job: &Job, work: &Work) -> Result<Value, Failure>;
}

/// Why a try failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Another try may succeed.
    #[error("{0}")]
    Retry(String),
    /// No try will succeed.
    #[error("{0}")]
    Permanent(String),
    /// The handler stopped because it was asked to; the job goes back to the queue.
    #[error("stopped before the end")]
    Stopped,
}

/// What a handler may ask of and tell the runner.
#[derive(Debug)]
pub struct Work {
    /// `None` for work that nobody stops.
    stop: Option<watch::Receiver<bool>>,
    progress: watch::Sender<Option<String>>,
}

impl Work {
    /// Tells whether the handler should stop soon (shutdown, or the lease was lost).
    pub fn should_stop(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| *stop.borrow() || stop.has_changed().is_err())
    }

    /// Notes how far the work is; written to the job's row within a second.
    pub fn report(&self, progress: &Value) {
        self.progress.send_replace(Some(progress.to_string()));
    }

    /// Waits, but no longer than until the handler should stop.
    pub async fn pause(&self, time: Duration) {
        match self.stop.clone() {
            // Both ends mean the same to the caller, who asks `should_stop` next.
            Some(mut stop) => drop(tokio::time::timeout(time, stop.wait_for(|stop| *stop)).await),
            None => tokio::time::sleep(time).await,
        }
    }

    /// Work outside a runner (a command, a test): never stopped, progress goes to the returned receiver.
    pub fn detached() -> (Self, watch::Receiver<Option<String>>) {
        let (progress, seen) = watch::channel(None);
        (Self { stop: None, progress }, seen)
    }
}
