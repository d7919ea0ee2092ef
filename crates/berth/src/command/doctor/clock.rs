//! Whether the clock can be right: not behind what has happened, and not turned during the check.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, Timespec, clock_gettime};

use super::report::{Finding, Report};

const SUBJECT: &str = "clock";
const FIX: &str = "set the clock, for example with timedatectl set-ntp true";

/// 1 November 2026; no Berth is older.
const WRITTEN: SignedDuration = SignedDuration::from_secs(1_793_491_200);
const STEP: SignedDuration = SignedDuration::from_millis(50);
const AHEAD: SignedDuration = SignedDuration::from_mins(1);

/// Both clocks at one moment.
pub(super) struct Reading {
    real: SignedDuration,
    monotonic: SignedDuration,
}

impl Reading {
    pub(super) fn now() -> Self {
        let read = |clock| {
            let Timespec { tv_sec, tv_nsec } = clock_gettime(clock);
            SignedDuration::from_secs(tv_sec) + SignedDuration::from_nanos(tv_nsec)
        };
        Self { real: read(ClockId::Realtime), monotonic: read(ClockId::Monotonic) }
    }

    /// Returns the time since 1970.
    pub(super) fn time(&self) -> SignedDuration {
        self.real
    }
}

/// Checks that the clock isn't behind what must have happened, and that nobody turned it since `start`.
pub(super) fn check(start: &Reading, data_dir: &Path, report: &mut Report) {
    let now = Reading::now();
    let shown = Timestamp::from_second(now.real.as_secs())
        .map_or_else(|_| "out of range".to_owned(), |time| time.to_string());
    report.add(if now.real < WRITTEN {
        Finding::bad(SUBJECT, format!("{shown} is before berth was written"), FIX)
    } else if newest_change(data_dir).is_some_and(|change| change > now.real + AHEAD) {
        Finding::bad(SUBJECT, format!("{shown} is before the last change in {}", data_dir.display()), FIX)
    } else if ((now.real - start.real) - (now.monotonic - start.monotonic)).abs() > STEP {
        Finding::doubtful(SUBJECT, format!("{shown}, but it was turned during this check"), FIX)
    } else {
        Finding::good(SUBJECT, shown)
    });
}

/// Returns when an entry of the data directory changed last, since 1970.
fn newest_change(data_dir: &Path) -> Option<SignedDuration> {
    fs::read_dir(data_dir)
        .ok()?
        .flatten()
        .filter_map(|entry| entry.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok())
        .max()
        .and_then(|since| SignedDuration::try_from(since).ok())
}
