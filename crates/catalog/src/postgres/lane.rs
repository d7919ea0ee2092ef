//! Lanes: each takes the units of work that wait, and runs them one after the other in one transaction.
//!
//! So many callers share one commit and one sync, as on SQLite. One group is at work at a time, so that units of one node do not
//! meet; only beside one that is slow another begins. Groups are only as large as what waits.

use std::collections::VecDeque;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::mpsc::Receiver;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::Engine;
use super::pool::jittered;
use super::transaction;
use super::unit::Unit;
use crate::error::{Error, Failure, Remedy, Result};

/// Units that may share one transaction.
const GROUP_UNITS: usize = 64;
/// A group that takes longer may wait for something that the units behind it need not wait for.
const SLOW: Duration = Duration::from_millis(100);
/// How long the groups of a node take turns with those of others after two have met: to wait costs less than to run again.
const CROWDED: Duration = Duration::from_secs(1);
/// Tries of a group that found a row, or missed one, against what it had read: another's doing, or a unit's own mistake.
const DOUBTFUL_TRIES: u32 = 5;
/// Before the second try; doubles up to 32 times that.
const PAUSE: Duration = Duration::from_millis(2);

/// Runs every unit that comes, until no more can.
pub(super) async fn run_all(engine: &Arc<Engine>, units: Receiver<Box<dyn Unit>>) {
    let units = Rc::new(Mutex::new(units));
    let lanes = (0..engine.lanes).map(|_| spawn_local(run(Arc::clone(engine), Rc::clone(&units))));
    join_all(lanes).await;
}

async fn run(engine: Arc<Engine>, units: Rc<Mutex<Receiver<Box<dyn Unit>>>>) {
    loop {
        let mut group = Vec::new();
        let mut next = units.lock().await;
        next.recv_many(&mut group, GROUP_UNITS).await;
        if group.is_empty() {
            return;
        }
        let mut running = pin!(run_group(&engine, group.into()));
        if timeout(SLOW, &mut running).await.is_err() {
            drop(next);
            running.await;
        }
    }
}

/// Runs units together, and what can't be run so one by one.
async fn run_group(engine: &Engine, mut waiting: VecDeque<Box<dyn Unit>>) {
    let mut apart = false;
    while !waiting.is_empty() {
        let size = if apart { 1 } else { waiting.len() };
        let group = &mut waiting.make_contiguous()[..size];
        match try_until_done(engine, group).await {
            Ok(count) => waiting.drain(..count).for_each(|unit| unit.end(Ok(()))),
            // One of them spoils it for the others, or has no more time.
            Err(failure) if size > 1 && !matches!(failure.error, Error::Unknown) => {
                apart = true;
                let now = Instant::now();
                for unit in std::mem::take(&mut waiting) {
                    if unit.deadline() <= now {
                        unit.end(Err(failure.error.clone()));
                    } else {
                        waiting.push_back(unit);
                    }
                }
            }
            Err(failure) => waiting.drain(..size).for_each(|unit| unit.end(Err(failure.error.clone()))),
        }
    }
}

/// Tries until the first units of a group have ended and returns how many, or until trying helps no more.
async fn try_until_done(engine: &Engine, group: &mut [Box<dyn Unit>]) -> Result<usize, Failure> {
    let patience = Instant::now() + engine.pool.patience();
    let deadline = group.iter().map(|unit| unit.deadline()).fold(patience, Instant::min);
    let (mut tries, mut doubts, mut turn) = (0, 0, None);
    loop {
        if engine.is_crowded() && turn.is_none() {
            turn = Some(take_turn(engine, deadline).await?);
        }
        let failure = match transaction::attempt(engine, group, turn.is_some(), deadline).await {
            Ok(count) => return Ok(count),
            Err(failure) => failure,
        };
        tries += 1;
        let again = match failure.remedy {
            Remedy::Again => {
                engine.set_crowded(CROWDED);
                true
            }
            Remedy::AgainFew => {
                doubts += 1;
                doubts < DOUBTFUL_TRIES
            }
            Remedy::Reconnect => {
                // What ended this connection has mostly ended those that lie idle, too.
                engine.pool.clear();
                true
            }
            Remedy::None => false,
        };
        let pause = jittered(PAUSE * 2_u32.pow(tries.min(6) - 1));
        if !again || Instant::now() + pause >= deadline {
            return Err(failure);
        }
        engine.signals.retries.fetch_add(group.len() as u64, Ordering::Relaxed);
        tracing::debug!(error = %failure.error, tries, units = group.len(), "units of work run again");
        sleep(pause).await;
    }
}

async fn take_turn(engine: &Engine, deadline: Instant) -> Result<MutexGuard<'_, ()>, Failure> {
    timeout_at(deadline, engine.turn.lock()).await.map_err(|_| Failure::last(Error::Busy))
}
