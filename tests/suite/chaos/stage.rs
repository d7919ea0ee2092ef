//! The clients at work while a scenario breaks things, and the checks that follow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::check::{self, Verdict};
use super::patient::{Patient, Trust};
use super::real;
use super::report::Report;
use super::worker::{Manner, Worker};
use crate::harness::{Cluster, Random, number_from_environment};

/// Held by the scenario at work, since all measure times.
static ALONE: Mutex<()> = Mutex::const_new(());

const WORKERS: u64 = 4;
/// Time for the clients before the first fault and after the last.
const PEACE: Duration = Duration::from_secs(1);

/// What a scenario has at hand while the clients work.
pub(super) struct Stage {
    pub(super) cluster: Cluster,
    pub(super) random: Random,
    faults: Vec<Instant>,
    seconds: u64,
    end: Instant,
}

impl Stage {
    /// Whether the time for faults is over.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// Notes that something fails now.
    pub(super) fn fault(&mut self) {
        self.faults.push(Instant::now());
    }

    /// Number of one of the servers.
    pub(super) fn any_node(&mut self) -> usize {
        usize::try_from(self.random.between(0, Cluster::NODES as u64)).unwrap_or_default()
    }

    /// Seconds of chaos in all.
    pub(super) fn seconds(&self) -> u64 {
        self.seconds
    }

    /// Leaves the clients alone for a time between the two, in milliseconds.
    pub(super) async fn pause(&mut self, from: u64, to: u64) {
        tokio::time::sleep(Duration::from_millis(self.random.between(from, to))).await;
    }
}

/// Lets clients work on a cluster while `break_things` does, and prints what came of it.
pub(super) async fn play(
    name: &str,
    setup: impl Future<Output = Result<Cluster>>,
    recovered_within: Duration,
    break_things: impl AsyncFnOnce(&mut Stage) -> Result<()>,
) -> Result<()> {
    run(name, setup, recovered_within, Trust::Strict, break_things).await
}

/// As [`play`], where an answer may be older than what was acknowledged: clients ask again then, which counts as a retry.
pub(super) async fn play_with_stale_reads(
    name: &str,
    setup: impl Future<Output = Result<Cluster>>,
    recovered_within: Duration,
    break_things: impl AsyncFnOnce(&mut Stage) -> Result<()>,
) -> Result<()> {
    run(name, setup, recovered_within, Trust::Stale, break_things).await
}

/// As [`play`], where outages last longer than the usual tries of a client: these have three times as many.
pub(super) async fn play_with_long_outages(
    name: &str,
    setup: impl Future<Output = Result<Cluster>>,
    recovered_within: Duration,
    break_things: impl AsyncFnOnce(&mut Stage) -> Result<()>,
) -> Result<()> {
    run(name, setup, recovered_within, Trust::Late, break_things).await
}

async fn run(
    name: &str,
    setup: impl Future<Output = Result<Cluster>>,
    recovered_within: Duration,
    trust: Trust,
    break_things: impl AsyncFnOnce(&mut Stage) -> Result<()>,
) -> Result<()> {
    let _alone = ALONE.lock().await;
    let seconds = number_from_environment("BERTH_CHAOS_SECONDS", 8)?;
    let mut random = Random::from_environment()?;
    let cluster = setup.await?;
    let over = Arc::new(AtomicBool::new(false));
    let mut workers = JoinSet::new();
    for number in 0..WORKERS {
        let manner = if number == 0 { Manner::Watchful } else { Manner::Hard };
        let worker =
            Worker::new(number, manner, Patient::new(cluster.api()?, random.split(), trust), random.split());
        workers.spawn(worker.work(Arc::clone(&over)));
    }
    let real = tokio::spawn(real::work(cluster.host().to_owned(), Arc::clone(&over)));

    tokio::time::sleep(PEACE).await;
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut stage = Stage { cluster, random, faults: Vec::new(), seconds, end };
    let broken = break_things(&mut stage).await;
    tokio::time::sleep(PEACE).await;
    over.store(true, Ordering::SeqCst);
    let workers = workers.join_all().await;
    let real = real.await??;
    broken?;

    stage.cluster.heal().await?;
    let mut verdict = Verdict::default();
    check::content_of(&stage.cluster, &workers, &mut verdict).await?;
    check::events(&stage.cluster, &workers, &mut verdict).await?;
    let (faults, workers, real, verdict) = (&stage.faults[..], &workers[..], &real, &verdict);
    Report { name, faults, workers, real, verdict, recovered_within }.finish()?;
    stage.cluster.node(0).verify().await.context("the books do not agree")?;
    Ok(())
}
