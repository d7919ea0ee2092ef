//! Where passwords are hashed: on a few threads of their own, which give way to everything else.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use super::hash::Cost;

/// Longer than this nobody waits for a turn.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// How far below others the threads stand: a flood of logins takes the processor time that nobody else wants.
const NICE: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// Hashes passwords. A hash takes 19 MiB and tens of milliseconds, so few run at a time.
pub(crate) struct Hasher {
    slots: Arc<Semaphore>,
    threads: usize,
    jobs: OnceLock<Option<mpsc::Sender<Job>>>,
    argon2: AtomicU64,
    rounds: AtomicU64,
}

impl Hasher {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            slots: Arc::new(Semaphore::new(2 * cores)),
            threads: cores,
            jobs: OnceLock::new(),
            argon2: AtomicU64::new(0),
            rounds: AtomicU64::new(0),
        }
    }

    /// Does work when its turn comes; `None` if too many wait.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let slot = timeout(MAX_WAIT, Arc::clone(&self.slots).acquire_owned()).await.ok()?.ok()?;
        let jobs = self.jobs.get_or_init(|| start(self.threads)).as_ref()?;
        let (answer, answered) = oneshot::channel();
        let job = move || {
            // The slot goes with the work: a request dropped meanwhile doesn't free the processor.
            let _slot = slot;
            // Nobody may be waiting any more.
            let _ = answer.send(work());
        };
        jobs.send(Box::new(job)).ok()?;
        answered.await.ok()
    }

    /// Adds to what hashing has cost.
    pub(crate) fn count(&self, cost: Cost) {
        self.argon2.fetch_add(cost.argon2, Ordering::Relaxed);
        self.rounds.fetch_add(cost.rounds, Ordering::Relaxed);
    }

    /// What hashing has cost since the start.
    pub(crate) fn cost(&self) -> Cost {
        Cost { argon2: self.argon2.load(Ordering::Relaxed), rounds: self.rounds.load(Ordering::Relaxed) }
    }

    /// Lets nothing be hashed until what it returns is dropped.
    #[cfg(test)]
    pub(crate) fn hold(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = u32::try_from(self.slots.available_permits()).unwrap_or(u32::MAX);
        Arc::clone(&self.slots).try_acquire_many_owned(all).unwrap_or_else(|error| unreachable!("{error}"))
    }
}

/// Starts the threads, which end with the sender; `None` if not one can be started.
fn start(threads: usize) -> Option<mpsc::Sender<Job>> {
    let (sender, receiver) = mpsc::channel::<Job>();
    let receiver = Arc::new(Mutex::new(receiver));
    let started = (0..threads).filter(|_| {
        let receiver = Arc::clone(&receiver);
        std::thread::Builder::new().name("berth-hash".to_owned()).spawn(move || work(&receiver)).is_ok()
    });
    (started.count() > 0).then_some(sender)
}

fn work(jobs: &Mutex<mpsc::Receiver<Job>>) {
    // Of this thread alone, on Linux. Where it is refused, all have the same rank.
    let _ = rustix::process::setpriority_process(None, NICE);
    loop {
        let next = jobs.lock().recv();
        let Ok(job) = next else { return };
        // Who waits hears that nobody answers; the next job finds a thread.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}
