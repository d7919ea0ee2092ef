//! A client that tries again as container clients do: a few times, each time later, from the start of the request.

use std::time::Duration;

use anyhow::Result;

use crate::harness::{Api, Random, Refused, is_outage};

/// Together about ten seconds of pauses, beside the time that each try takes.
const TRIES: u32 = 10;
/// As many as an orchestrator's that comes back for an image after its client gave up.
const MANY_TRIES: u32 = 30;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Longest that a try may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a client puts up with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Trust {
    /// None may: what was acknowledged is there.
    Strict,
    /// The last one counts: what is missing is asked for again.
    Stale,
    /// None may, but it may take its time.
    Late,
}

/// What was acknowledged is not there.
#[derive(Debug)]
pub(super) struct Lost(pub(super) String);

impl std::fmt::Display for Lost {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Lost {}

pub(super) struct Patient {
    api: Api,
    random: Random,
    trust: Trust,
    /// Tries that failed and were followed by another.
    pub(super) retries: u64,
}

impl Patient {
    pub(super) fn new(api: Api, random: Random, trust: Trust) -> Self {
        Self { api, random, trust, retries: 0 }
    }

    /// Tries until it succeeds, is refused, or enough is enough; hands back how many tries failed before, too.
    pub(super) async fn attempt<T, F>(&mut self, attempt: impl Fn(Api) -> F) -> Result<(T, u32)>
    where
        F: Future<Output = Result<T>>,
    {
        let mut pause = FIRST_PAUSE;
        let mut failed = 0;
        loop {
            let tried = match tokio::time::timeout(PATIENCE, attempt(self.api.clone())).await {
                Ok(Ok(value)) => return Ok((value, failed)),
                Ok(Err(error)) if !is_passing(&error, self.trust) => return Err(error),
                Ok(Err(error)) => error,
                Err(_) => anyhow::anyhow!("no answer after {} s", PATIENCE.as_secs()),
            };
            failed += 1;
            let most = if self.trust == Trust::Late { MANY_TRIES } else { TRIES };
            if failed == most {
                return Err(tried.context(format!("after {most} tries")));
            }
            self.retries += 1;
            // Between half of the pause and all of it, so that clients don't come back together.
            tokio::time::sleep(pause * u32::try_from(self.random.between(50, 101))? / 100).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Whether it may go better the next time.
fn is_passing(error: &anyhow::Error, trust: Trust) -> bool {
    let status =
        error.chain().find_map(|cause| cause.downcast_ref::<Refused>()).map(|refused| refused.status);
    let stale = trust == Trust::Stale && (error.is::<Lost>() || matches!(status, Some(400 | 404)));
    stale || is_outage(error) || status.is_some_and(|status| matches!(status, 408 | 429 | 500))
}
