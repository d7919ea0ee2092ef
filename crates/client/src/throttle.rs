//! How fast bytes may come, all transfers together.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Time lost that may be made up for at full speed.
const CREDIT: Duration = Duration::from_millis(200);

/// Bytes per second that all transfers share; 0 for no limit.
#[derive(Debug)]
pub(crate) struct Throttle {
    bytes_per_second: u64,
    due: Mutex<Instant>,
}

impl Throttle {
    pub(crate) fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second, due: Mutex::new(Instant::now()) }
    }

    /// Waits as long as these bytes must take.
    #[expect(clippy::cast_precision_loss, reason = "a waiting time")]
    pub(crate) async fn spend(&self, bytes: usize) {
        if self.bytes_per_second == 0 {
            return;
        }
        let now = Instant::now();
        let time = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        let due = {
            let mut due = self.due.lock();
            *due = (*due).max(now.checked_sub(CREDIT).unwrap_or(now)) + time;
            *due
        };
        tokio::time::sleep_until(due).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn transfers_share_the_rate() {
        let throttle = Throttle::new(1 << 20);
        let begin = Instant::now();
        let transfer = async || {
            for _ in 0..4 {
                throttle.spend(64 << 10).await;
            }
        };
        tokio::join!(transfer(), transfer());
        let time = begin.elapsed();
        assert!(time >= Duration::from_millis(290), "{time:?}");
        Throttle::new(0).spend(usize::MAX).await;
    }
}
