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
use super::transaction::{self, Setback};
use super::unit::Unit;
use crate::error::{Error, Remedy, Result};

/// Units that may share one transaction.
const GROUP_UNITS: usize = 64;
/// A group that takes longer may wait for something that the units behind it need not wait for.
const SLOW: Duration = Duration::from_millis(100);
/// How long the groups of a node take turns with those of others after two have met: to wait costs less than to run again.
const CROWDED: Duration = Duration::from_secs(1);
/// Tries of a group that found a row, or missed one, against what it had read: another's doing, or a unit's own mistake.
const DOUBTFUL_TRIES: u32 = 5;
/// Tries of a group that met others, before its units run one by one.
const MOST_MET: u32 = 5;
/// Whose caller goes away within this time is not tried any more.
const LATE: Duration = Duration::from_millis(50);
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

type Units = VecDeque<Box<dyn Unit>>;

/// Runs units together, and what can't be run so one by one.
async fn run_group(engine: &Engine, mut waiting: Units) {
    let (mut apart, mut culprit) = (false, None);
    end_late(&mut waiting, &Error::Busy);
    while !waiting.is_empty() {
        // Who spoils it for the others runs alone, behind those before it.
        let size = if apart { 1 } else { culprit.map_or(waiting.len(), |culprit: usize| culprit.max(1)) };
        let group = &mut waiting.make_contiguous()[..size];
        match try_until_done(engine, group).await {
            Ok(count) => {
                culprit = culprit.and_then(|culprit| culprit.checked_sub(count));
                waiting.drain(..count).for_each(|unit| unit.end(Ok(())));
            }
            Err(setback) if size > 1 && !matches!(setback.failure.error, Error::Unknown) => {
                let count = waiting.len();
                end_late(&mut waiting, &setback.failure.error);
                // Without those that had no more time the others may get on together.
                let all_stay = waiting.len() == count;
                culprit = setback.culprit.filter(|_| all_stay);
                apart = all_stay && culprit.is_none();
            }
            Err(Setback { failure, .. }) => {
                culprit = culprit.and_then(|culprit| culprit.checked_sub(size));
                waiting.drain(..size).for_each(|unit| unit.end(Err(failure.error.clone())));
            }
        }
    }
}

/// Ends those whose callers will not wait for another try.
fn end_late(waiting: &mut Units, error: &Error) {
    let soon = Instant::now() + LATE;
    for unit in std::mem::take(waiting) {
        if unit.deadline() <= soon {
            unit.end(Err(error.clone()));
        } else {
            waiting.push_back(unit);
        }
    }
}

/// Tries until the first units of a group have ended and returns how many, or until trying helps no more.
async fn try_until_done(engine: &Engine, group: &mut [Box<dyn Unit>]) -> Result<usize, Setback> {
    let patience = Instant::now() + engine.pool.patience();
    let deadline = group.iter().map(|unit| unit.deadline()).fold(patience, Instant::min);
    let (mut tries, mut met, mut doubts, mut turn) = (0, 0, 0, None);
    loop {
        if engine.is_crowded() && turn.is_none() {
            turn = take_turn(engine, deadline).await;
        }
        let setback = match transaction::attempt(engine, group, turn.is_some(), deadline).await {
            Ok(count) => return Ok(count),
            Err(setback) => setback,
        };
        tries += 1;
        let again = match setback.failure.remedy {
            Remedy::Again => {
                engine.set_crowded(CROWDED);
                met += 1;
                // A smaller one is quicker, and so meets fewer.
                met < MOST_MET || group.len() == 1
            }
            Remedy::AgainFew => {
                doubts += 1;
                doubts < DOUBTFUL_TRIES
            }
            Remedy::Reconnect => {
                if Instant::now() < deadline && !matches!(setback.failure.error, Error::Crowded(_)) {
                    // What ended this connection has mostly ended those that lie idle, too.
                    engine.pool.clear();
                }
                true
            }
            Remedy::None => false,
        };
        let pause = jittered(PAUSE * 2_u32.pow(tries.min(6) - 1));
        if !again || Instant::now() + pause >= deadline {
            return Err(setback);
        }
        engine.signals.retries.fetch_add(group.len() as u64, Ordering::Relaxed);
        tracing::debug!(error = %setback.failure.error, tries, units = group.len(), "units of work run again");
        sleep(pause).await;
    }
}

/// Waits for this node's turn, but not behind a group that is held up: then the database decides who meets.
async fn take_turn(engine: &Engine, deadline: Instant) -> Option<MutexGuard<'_, ()>> {
    timeout_at(deadline.min(Instant::now() + CROWDED), engine.turn.lock()).await.ok()
}
