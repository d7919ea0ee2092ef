//! The load: tasks that each wait for one answer before they ask again, and what that costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::driver::Result;
use crate::made_up::MANIFESTS;

/// Tasks that ask at the same time.
const TASKS: usize = 16;
/// How long an arm is measured at a time.
const TIME: Duration = Duration::from_secs(4);

/// What one run of an arm came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// Units done each second.
    pub(crate) units_per_second: f64,
    /// Microseconds of processor time, user and system, that the whole process used for each unit.
    pub(crate) cpu_micros: f64,
    /// 99th percentile of the microseconds that a unit took, from when its task wished for it.
    pub(crate) p99_micros: f64,
}

/// Has `work` done, with numbers never used before, by all tasks until the time is over.
pub(crate) async fn load<F, W>(work: F) -> Result<Figures>
where
    F: Fn(u64) -> W + Clone + Send + 'static,
    W: Future<Output = Result<()>> + Send + 'static,
{
    let serials = Arc::new(AtomicU64::new(MANIFESTS));
    let (began, cpu_began) = (Instant::now(), cpu_seconds());
    let tasks: Vec<_> =
        (0..TASKS).map(|_| tokio::spawn(client(work.clone(), Arc::clone(&serials), began + TIME))).collect();
    let mut micros = Vec::with_capacity(tasks.len());
    for task in tasks {
        micros.push(task.await??);
    }
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu_began);
    let mut micros = micros.concat();
    micros.sort_by(f64::total_cmp);
    let units = micros.len() as f64;
    let p99_micros = micros.get((units * 0.99) as usize).copied().ok_or("nothing was done")?;
    Ok(Figures { units_per_second: units / seconds, cpu_micros: cpu * 1e6 / units, p99_micros })
}

/// One task's units; the answer is the microseconds that each took, with the wait for a turn on a thread.
async fn client<F, W>(work: F, serials: Arc<AtomicU64>, end: Instant) -> Result<Vec<f64>>
where
    F: Fn(u64) -> W,
    W: Future<Output = Result<()>>,
{
    let mut micros = Vec::new();
    while Instant::now() < end {
        let start = Instant::now();
        // A read that never waits would keep its thread to itself; a server's task goes back to its socket.
        tokio::task::yield_now().await;
        work(serials.fetch_add(1, Ordering::Relaxed)).await?;
        micros.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok(micros)
}

/// Processor seconds, user and system, that this process has used so far.
fn cpu_seconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}
