//! The import from another registry as a durable job. What is here stays here: another try asks for what is missing.

use async_trait::async_trait;
use berth_access::Operator;
use berth_catalog::job::Job;
use berth_jobs::{Failure, Handler, Work};
use serde_json::Value;
use tokio::sync::{Semaphore, watch};

use super::order::PullOrder;
use super::report::Standing;
use super::select::Selection;
use super::{CALLER, Pulling};
use crate::import::start::blocking;
use crate::{Registry, Result};

/// Pulls from another registry.
#[derive(Debug, Clone)]
pub struct PullJob(Registry);

impl PullJob {
    /// The job kind, and the slot: one at a time.
    pub const KIND: &'static str = "import-registry";

    /// Works such imports into this registry.
    pub fn new(registry: Registry) -> Self {
        Self(registry)
    }
}

#[async_trait]
impl Handler for PullJob {
    async fn run(&self, job: &Job, work: &Work) -> Result<Value, Failure> {
        let order: PullOrder = serde_json::from_str(&job.payload)
            .map_err(|error| Failure::Permanent(format!("payload is not such an import's: {error}")))?;
        let selection = Selection::of(&order).map_err(Failure::Permanent)?;
        let upstream = {
            let (order, config) = (order.clone(), self.0.config().clone());
            blocking(move || Ok(order.connect(&config))).await?
        };
        // Where several nodes could work it, another may have the files.
        let unusable = |error: berth_client::Error| {
            if self.0.catalog().is_shared() {
                Failure::Retry(format!("on this node, {error}"))
            } else {
                Failure::Permanent(error.to_string())
            }
        };
        let (stop, stopped) = watch::channel(false);
        let pulling = Pulling {
            registry: self.0.clone(),
            upstream: upstream.map_err(unusable)?,
            operator: Operator::new(CALLER, self.0.read_only()),
            standing: Standing::resume(job.progress.as_deref(), &order.registry, order.dry_run).into(),
            transfers: Semaphore::new(order.parallel()),
            stop: stopped,
            turns: parking_lot::Mutex::default(),
            counted: parking_lot::Mutex::default(),
            selection,
            order,
        };
        let report = pulling.run(work, stop).await?;
        tracing::info!(
            registry = report.registry,
            tags = report.tags,
            same = report.same,
            bytes = report.bytes,
            failed = report.failed,
            "import from another registry has ended"
        );
        serde_json::to_value(&report).map_err(|error| Failure::Permanent(error.to_string()))
    }
}
