//! Says in the source how far a move is, for whoever asks beside it.

use std::sync::Arc;
use std::time::Duration;

use berth_catalog::{Catalog, moving};
use parking_lot::Mutex;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::Step;
use crate::error::Result;

/// How often.
const TICK: Duration = Duration::from_secs(1);

/// The last step, which a task writes down now and then.
pub(super) struct Report {
    source: Catalog,
    worker: String,
    step: Arc<Mutex<Step>>,
    task: JoinHandle<()>,
}

impl Report {
    pub(super) fn start(source: Catalog, worker: String) -> Self {
        let step = Arc::new(Mutex::new(Step { phase: "beginning", done: 0, total: 0 }));
        let task = tokio::spawn({
            let (source, worker, step) = (source.clone(), worker.clone(), Arc::clone(&step));
            async move {
                loop {
                    tokio::time::sleep(TICK).await;
                    // The next one says more.
                    let _ = write(&source, &worker, &step).await;
                }
            }
        });
        Self { source, worker, step, task }
    }

    pub(super) fn set(&self, step: Step) {
        *self.step.lock() = step;
    }

    /// Writes it down now.
    pub(super) async fn write(&self) -> Result<()> {
        write(&self.source, &self.worker, &self.step).await
    }
}

async fn write(source: &Catalog, worker: &str, step: &Mutex<Step>) -> Result<()> {
    let Step { phase, done, total } = *step.lock();
    let progress = json!({"phase": phase, "done": done, "total": total}).to_string();
    let (worker, clock) = (worker.to_owned(), source.clock().clone());
    source.write(async move |tx| moving::note(tx, &worker, &progress, clock.now()).await).await?;
    Ok(())
}

impl Drop for Report {
    fn drop(&mut self) {
        self.task.abort();
    }
}
