//! Stops asking a service that doesn't answer: callers hear it at once instead of each waiting for its own timeouts.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Failures in a row after which the service counts as down.
const FAILURES: u32 = 6;
/// How long nobody asks, the first time.
const FIRST_REST: Duration = Duration::from_millis(500);
/// How long at most: each probe that fails doubles the time. One request a second hurts no service, and clients come back
/// for some seconds only: resting for 15, nodes still refused them long after the service had returned.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Lets requests through while they succeed. After [`FAILURES`] in a row it refuses them for a while, then lets one
/// through: when that succeeds, all the others.
#[derive(Debug)]
pub(super) struct Breaker {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    failures: u32,
    rest: Duration,
    until: Option<Instant>,
    probing: bool,
}

/// Is one request that was let through. Dropped without a word, it says nothing about the service.
#[derive(Debug)]
pub(super) struct Admission {
    breaker: Arc<Breaker>,
    probe: bool,
}

/// Says that a request was not sent.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the service has failed {FAILURES} times in a row and is left alone for a moment")]
pub(super) struct Open;

impl Default for Breaker {
    fn default() -> Self {
        let state = State { failures: 0, rest: FIRST_REST, until: None, probing: false };
        Self { state: Mutex::new(state) }
    }
}

impl Breaker {
    /// Lets a request through, or not.
    pub(super) fn admit(self: &Arc<Self>, now: Instant) -> Result<Admission, Open> {
        let mut state = self.state.lock();
        let probe = match state.until {
            None => false,
            Some(until) if now < until || state.probing => return Err(Open),
            Some(_) => {
                state.probing = true;
                true
            }
        };
        Ok(Admission { breaker: Arc::clone(self), probe })
    }
}

impl Admission {
    /// The service answered.
    pub(super) fn succeeded(self) {
        let mut state = self.breaker.state.lock();
        if state.until.is_some() {
            tracing::info!("the bucket answers again");
        }
        *state = State { failures: 0, rest: FIRST_REST, until: None, probing: false };
    }

    /// It didn't, or it said that it can't.
    pub(super) fn failed(self, now: Instant) {
        let mut state = self.breaker.state.lock();
        state.failures = state.failures.saturating_add(1);
        if self.probe || (state.failures >= FAILURES && state.until.is_none()) {
            if state.until.is_none() {
                tracing::warn!("the bucket doesn't answer, it is left alone for a moment");
            }
            state.until = Some(now + state.rest);
            state.rest = (state.rest * 2).min(LONGEST_REST);
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.state.lock().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_probes_and_heals() {
        let breaker = Arc::new(Breaker::default());
        let start = Instant::now();
        let fail = |at| breaker.admit(at).unwrap().failed(at);
        for _ in 1..FAILURES {
            fail(start);
        }
        breaker.admit(start).unwrap().succeeded();
        for _ in 0..FAILURES {
            fail(start);
        }
        assert!(breaker.admit(start + FIRST_REST / 2).is_err(), "only failures in a row count, and they did");

        let later = start + FIRST_REST;
        let probe = breaker.admit(later).unwrap();
        assert!(breaker.admit(later).is_err(), "one at a time");
        drop(probe);
        let probe = breaker.admit(later).unwrap();
        probe.failed(later);
        assert!(breaker.admit(later + FIRST_REST).is_err(), "it rests longer now");

        let later = later + FIRST_REST * 2;
        breaker.admit(later).unwrap().succeeded();
        let both = [breaker.admit(later), breaker.admit(later)];
        assert!(both.iter().all(Result::is_ok));
        for _ in 1..FAILURES {
            fail(later);
        }
        assert!(breaker.admit(later).is_ok(), "the count starts anew");
    }

    #[test]
    fn many_at_once_rest_once() {
        let breaker = Arc::new(Breaker::default());
        let start = Instant::now();
        let all: Vec<_> = (0..100).map(|_| breaker.admit(start).unwrap()).collect();
        for admission in all {
            admission.failed(start);
        }
        assert!(
            breaker.admit(start + FIRST_REST).is_ok(),
            "requests sent before it opened don't prolong the rest"
        );
    }
}
