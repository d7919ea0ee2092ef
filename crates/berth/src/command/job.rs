//! Runs a job for a command: through the server that holds the data directory, or here when none does.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use berth_catalog::Catalog;
use berth_catalog::job::{self, Job, JobId, NewJob, State};
use berth_catalog::mode::{self, Rest};
use berth_jobs::Runner;
use berth_registry::{CollectJob, ImportJob, PullJob, Registry, ScrubJob};
use indicatif::ProgressBar;
use serde_json::Value;
use tokio::sync::watch;

use super::progress::progress_bar;
use super::{block_on, print};
use crate::config::Config;
use crate::data;

/// How often progress is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How often in a row nobody may hold the data directory before its holder counts as gone.
const LOOKS_ALONE: u32 = 50;
const GONE: &str = "the job is gone: it ended more than a day ago";

/// Enqueues a job for whoever works the data directory.
pub(super) async fn enqueue(catalog: &Catalog, kind: &'static str, payload: String) -> Result<JobId> {
    let now = catalog.clock().now();
    let new = NewJob { kind, slot: None, payload, run_at: now };
    let id = catalog.write(async move |tx| job::enqueue(tx, &new, now).await).await?;
    id.context("the job was not enqueued")
}

/// Works a job to its end, with progress, and returns its last word.
pub(super) fn run_to_end(config: &Config, kind: &'static str, payload: String) -> Result<Value> {
    data::must_exist(config)?;
    let enqueued = async |registry: &Registry| enqueue(registry.catalog(), kind, payload).await;
    run_enqueued(config, kind, enqueued)
}

/// Does the same to the job that `enqueue` enqueues. A data directory that is empty is made one.
pub(super) fn run_enqueued(
    config: &Config,
    kind: &'static str,
    enqueue: impl AsyncFnOnce(&Registry) -> Result<JobId>,
) -> Result<Value> {
    let lock = data::lock(config)?;
    let ended = match &lock {
        Some(_) => block_on(work(config, enqueue)),
        None => block_on(delegate(config, enqueue)),
    };
    drop(lock);
    let ended = ended?;
    match ended.state {
        State::Done => Ok(serde_json::from_str(ended.progress.as_deref().unwrap_or("null"))?),
        _ => bail!("{kind} failed: {}", ended.error.unwrap_or_else(|| "no reason was noted".into())),
    }
}

/// Refuses to order work that would wait for the end of read-only mode.
pub(super) async fn refuse_read_only(config: &Config, catalog: &Catalog) -> Result<()> {
    let now = catalog.clock().now();
    let rests = catalog.read(async |r| mode::rests(r, now).await).await?;
    if config.access.read_only {
        bail!("the registry is read-only, which lets background work rest: take access.read_only back first");
    }
    match rests {
        None => Ok(()),
        Some(Rest::Told) => {
            bail!(
                "the registry is read-only, which lets background work rest: `berth read-only off` ends that"
            )
        }
        Some(Rest::Moved) => bail!("the registry has moved: `berth migrate status` says where"),
        Some(Rest::Restoring) => {
            bail!("a backup is being restored, which lets background work rest: try again when it is there")
        }
        Some(Rest::Switching | Rest::Arriving) => {
            bail!("the registry is moving, which lets background work rest: try again when it has moved")
        }
    }
}

/// Orders an import and leaves it to others; `when` says to whom.
pub(super) async fn leave(
    config: &Config,
    registry: Registry,
    when: &str,
    start: impl AsyncFnOnce(&Registry) -> Result<JobId>,
) -> Result<()> {
    refuse_read_only(config, registry.catalog()).await?;
    let id = start(&registry).await?;
    Ok(print(format!("import enqueued as job {}; {when}\n", id.0))?)
}

/// Works the job here, or follows the node that is faster.
async fn work(config: &Config, enqueue: impl AsyncFnOnce(&Registry) -> Result<JobId>) -> Result<Job> {
    let registry = data::open(config, data::Role::Command).await?.registry;
    let catalog = registry.catalog();
    refuse_read_only(config, catalog).await?;
    if !catalog.is_shared() {
        registry.repair().await.context("leftovers of the last run can't be repaired")?;
    }
    let id = enqueue(&registry).await?;
    let runner = runner(&registry, CollectJob::new(registry.clone()));
    let (_stop, stopped) = watch::channel(false);
    tokio::select! {
        () = registry.follow_mode(stopped) => bail!("the work was left before its end"),
        ended = runner.run_until_ended(id) => ended?.context(GONE),
        ended = follow(catalog, id, || Ok(true)) => ended,
    }
}

/// Leaves the job to the process that holds the data directory, a server or a command that ends with its own job, and waits
/// no longer than that one lives.
async fn delegate(config: &Config, enqueue: impl AsyncFnOnce(&Registry) -> Result<JobId>) -> Result<Job> {
    let registry = data::join(config).await?;
    refuse_read_only(config, registry.catalog()).await?;
    let id = enqueue(&registry).await?;
    let mut alone = 0;
    follow(registry.catalog(), id, || {
        // A server that restarts leaves the lock free for a moment.
        alone = if data::lock(config)?.is_some() { alone + 1 } else { 0 };
        Ok(alone < LOOKS_ALONE)
    })
    .await
}

/// Puts the worker of every kind of job together, for the server and for commands.
pub(super) fn runner(registry: &Registry, collector: CollectJob) -> Runner {
    Runner::new(registry.catalog().clone())
        .hold_while(registry.read_only().subscribe())
        .handle(CollectJob::KIND, Arc::new(collector))
        .handle(ImportJob::KIND, Arc::new(ImportJob::new(registry.clone())))
        .handle(PullJob::KIND, Arc::new(PullJob::new(registry.clone())))
        .handle(ScrubJob::KIND, Arc::new(ScrubJob::new(registry.clone())))
}

/// Shows progress until the job has ended. `has_worker` is asked after each look.
async fn follow(catalog: &Catalog, id: JobId, mut has_worker: impl FnMut() -> Result<bool>) -> Result<Job> {
    let bar = progress_bar();
    loop {
        let job = catalog.read(async |r| job::find(r, id).await).await?.context(GONE)?;
        if let Some(progress) =
            job.progress.as_deref().and_then(|json| serde_json::from_str::<Value>(json).ok())
        {
            show(&bar, &progress);
        }
        if job.state == State::Queued {
            bar.set_message("waits for its turn");
        }
        if !matches!(job.state, State::Queued | State::Running) {
            bar.finish_and_clear();
            return Ok(job);
        }
        tokio::time::sleep(LOOK).await;
        if !has_worker()? {
            bail!(
                "the process that held the data directory has ended before the work; run the command again"
            );
        }
    }
}

fn show(bar: &ProgressBar, progress: &Value) {
    let number = |name: &str| progress.get(name).and_then(Value::as_u64);
    bar.set_length(number("total").unwrap_or(0));
    bar.set_position(number("done").or_else(|| number("checked")).unwrap_or(0));
    let phase = progress.get("phase").and_then(Value::as_str).unwrap_or("scrub");
    let eta = number("eta_seconds").map_or_else(String::new, |seconds| format!(", {seconds} s left"));
    bar.set_message(format!("{phase}{eta}"));
}
