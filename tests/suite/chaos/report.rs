//! The line of figures, and what they may be.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::check::Verdict;
use super::real::Rounds;
use super::worker::{Done, Kind, Worker};

/// Fewest pulls in ten thousand that succeed, with all their tries.
const GOOD_PULLS: usize = 9_990;

pub(super) struct Report<'a> {
    pub(super) name: &'a str,
    /// When something failed, or, where nothing could go on without it, when it came back.
    pub(super) faults: &'a [Instant],
    pub(super) workers: &'a [Worker],
    pub(super) real: &'a Rounds,
    pub(super) verdict: &'a Verdict,
    /// Longest that the first good push and the first good pull after a fault may take.
    pub(super) recovered_within: Duration,
}

impl Report<'_> {
    fn of(&self, kind: Kind) -> impl Iterator<Item = &Done> {
        self.workers.iter().flat_map(|worker| &worker.done).filter(move |done| done.kind == kind)
    }

    /// The longest time from a fault to the end of the first good one that began after it.
    fn recovery(&self, kind: Kind) -> Option<Duration> {
        let first = |fault: &Instant| {
            let good = self.of(kind).filter(|done| done.failure.is_none() && done.begin >= *fault);
            good.map(|done| done.end - *fault).min()
        };
        self.faults.iter().map(first).collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    fn slowest(&self, kind: Kind) -> Duration {
        self.of(kind).map(|done| done.end - done.begin).max().unwrap_or_default()
    }

    fn failures(&self, kind: Kind) -> Vec<&str> {
        self.of(kind).filter_map(|done| done.failure.as_deref()).collect()
    }

    /// Prints the line, and fails if the figures are not what they have to be.
    pub(super) fn finish(&self) -> Result<()> {
        let (pushes, pulls) = (self.of(Kind::Push).count(), self.of(Kind::Pull).count());
        let (bad_pushes, bad_pulls) = (self.failures(Kind::Push), self.failures(Kind::Pull));
        let bad_deletes = self.failures(Kind::Delete);
        let seconds = |time: Option<Duration>| {
            time.map_or("never".to_owned(), |time| format!("{:.2} s", time.as_secs_f64()))
        };
        let (push, pull) = (self.recovery(Kind::Push), self.recovery(Kind::Pull));
        let verdict = self.verdict;
        println!(
            "chaos: {}: {} faults, {pushes} pushes ({} failed), {pulls} pulls ({} failed), {} deletes ({} failed), {} retries; \
             worst time to the first good push {}, pull {}; slowest push {}, pull {}; crane: {} rounds, {} failed; \
             lost {}, corrupted {}, {} events, {} wrong",
            self.name,
            self.faults.len(),
            bad_pushes.len(),
            bad_pulls.len(),
            self.of(Kind::Delete).count(),
            bad_deletes.len(),
            self.workers.iter().map(Worker::retries).sum::<u64>(),
            seconds(push),
            seconds(pull),
            seconds(Some(self.slowest(Kind::Push))),
            seconds(Some(self.slowest(Kind::Pull))),
            self.real.good,
            self.real.failures.len(),
            verdict.lost.len(),
            verdict.corrupted.len(),
            verdict.events,
            verdict.wrong_events.len(),
        );
        for failure in bad_pushes.iter().chain(&bad_pulls).chain(&bad_deletes).take(20) {
            println!("  failed: {failure}");
        }
        for failure in self.real.failures.iter().take(5) {
            println!("  crane failed: {failure}");
        }
        ensure!(verdict.lost.is_empty(), "acknowledged and lost: {:#?}", verdict.lost);
        ensure!(verdict.corrupted.is_empty(), "served and wrong: {:#?}", verdict.corrupted);
        ensure!(verdict.wrong_events.is_empty(), "the event log: {:#?}", verdict.wrong_events);
        let never = ["LOST", "hash to", "UNKNOWN", "404"];
        let broken =
            bad_pushes.iter().chain(&bad_pulls).find(|said| never.iter().any(|word| said.contains(word)));
        ensure!(broken.is_none(), "a promise was broken for a while: {broken:?}");
        ensure!(pushes > 10 && pulls > 10, "hardly anything was pushed and pulled");
        ensure!(
            (pulls - bad_pulls.len()) * 10_000 >= pulls * GOOD_PULLS,
            "{} of {pulls} pulls failed after all tries",
            bad_pulls.len()
        );
        ensure!(self.real.good > 0, "crane never got through: {:?}", self.real.failures);
        for (what, time) in [("push", push), ("pull", pull)] {
            let within = self.recovered_within;
            ensure!(
                time.is_some_and(|time| time <= within),
                "the first good {what} after a fault took {}, not at most {} s",
                seconds(time),
                within.as_secs()
            );
        }
        Ok(())
    }
}
