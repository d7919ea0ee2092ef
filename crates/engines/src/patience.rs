//! Waiting for something that another process does.

use std::time::{Duration, Instant};

/// Longer than any engine takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Asks again and again until there is an answer; fails with `what` when patience ends.
pub(crate) fn wait_for<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    wait_within(PATIENCE, what, ask)
}

/// Waits for longer, for what is slow by nature.
pub(crate) fn wait_within<T>(patience: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < patience, "waited in vain for {what}");
        pause(Duration::from_millis(10));
    }
}

/// Holds this thread up.
#[expect(
    clippy::disallowed_methods,
    reason = "this room blocks on purpose: it may be called without a runtime"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
