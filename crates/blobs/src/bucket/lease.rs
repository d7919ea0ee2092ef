//! Lets one process at a time change what lies below a prefix.
//!
//! ```text
//! <prefix>/lease/<number>       a claim: who it is, and how often it was renewed
//! ```
//!
//! The claim with the highest number counts, and each number is given once: its object is only created where none is, the one
//! condition that all services know. No clocks are compared: who finds the claim of somebody else watches it, and makes the next one
//! when it hasn't changed for [`LEASE`]. A holder that sees a higher number has lost.

use std::{sync::Arc, time::Duration};

use futures_util::TryStreamExt as _;
use object_store::{ObjectStore as _, path::Path};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::{task::JoinHandle, time::Instant};
use uuid::Uuid;

use super::{Inner, error::map, shelf::Prefix};
use crate::{Error, Result, shelf::OWN};

/// A claim that isn't renewed this long may be passed over.
const LEASE: Duration = Duration::from_secs(10);
/// Its holder counts on a renewal for less: what he is about may take a moment.
const HELD: Duration = Duration::from_secs(8);
/// How often its holder renews it.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long that may take before it is tried again.
const RENEWAL: Duration = Duration::from_secs(3);
/// How often who wants it looks, and how soon a renewal that failed is tried again.
const LOOK: Duration = Duration::from_millis(500);
const DOING: &str = "lease the shelf";

/// What a claim says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    /// Who holds it; nobody, if it was let go.
    holder: Option<String>,
    /// Counts the renewals.
    beat: u64,
}

/// Is held until it is released, or lost.
#[derive(Debug)]
pub(crate) struct Lease {
    claims: Claims,
    number: u64,
    pulse: Arc<Pulse>,
    renewal: JoinHandle<()>,
}

/// When a claim was last renewed, as far as its holder knows; `None` once it is lost.
#[derive(Debug)]
struct Pulse(Mutex<Option<Instant>>);

/// The claims below a prefix, in the eyes of one who wants to hold it.
#[derive(Debug, Clone)]
struct Claims {
    inner: Arc<Inner>,
    folder: Path,
    holder: String,
}

impl Lease {
    /// Takes the lease; `None` when somebody else holds it.
    pub(crate) async fn acquire(prefix: &Prefix) -> Result<Option<Self>> {
        let claims = Claims {
            inner: Arc::clone(&prefix.inner),
            folder: prefix.key(OWN[2])?,
            holder: Uuid::new_v4().simple().to_string(),
        };
        let Some(number) = claims.wait().await? else { return Ok(None) };
        let (line, begin) = (claims.line(true, 0)?, Instant::now());
        if !claims.inner.create_object(&claims.key(number), line.into(), DOING).await? {
            return Ok(None);
        }
        let pulse = Arc::new(Pulse(Mutex::new(Some(begin))));
        let renewal = tokio::spawn(renew(claims.clone(), number, Arc::clone(&pulse)));
        let lease = Self { claims, number, pulse, renewal };
        let claims = &lease.claims;
        for passed in claims.numbers().await?.into_iter().filter(|passed| *passed < number) {
            claims.inner.delete_object(&claims.key(passed)).await?;
        }
        Ok(Some(lease))
    }

    /// Tells whether it has been held all the time.
    pub(crate) fn is_held(&self) -> bool {
        self.pulse.is_felt(Instant::now())
    }

    /// Lets somebody else have it at once.
    pub(crate) async fn release(self) {
        self.renewal.abort();
        match tokio::time::timeout(HEARTBEAT, self.claims.write(self.number, false, 0)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the lease could not be let go, it ends by itself"),
            Err(_) => tracing::warn!("the lease could not be let go in time, it ends by itself"),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

impl Pulse {
    /// Tells whether nobody else can have passed the claim over. Asked for by the clock, not by what a renewal under way brings: one
    /// may hang for longer than a rival waits.
    fn is_felt(&self, now: Instant) -> bool {
        self.0.lock().is_some_and(|last| now.saturating_duration_since(last) < HELD)
    }

    /// Notes a renewal that began at `begin`. What was lost stays lost.
    fn beat(&self, begin: Instant, now: Instant) {
        let felt = self.is_felt(now);
        *self.0.lock() = felt.then_some(begin);
    }

    fn stop(&self) {
        *self.0.lock() = None;
    }
}

impl Claims {
    /// Returns the number to claim; `None` if the holder of the last one shows a sign of life.
    async fn wait(&self) -> Result<Option<u64>> {
        let mut seen: Option<(u64, Line, Instant)> = None;
        loop {
            let Some(number) = self.numbers().await?.into_iter().max() else { return Ok(Some(0)) };
            let line = self.read(number).await?;
            match (line, &seen) {
                (Some(Line { holder: None, .. }), _) => return Ok(Some(number + 1)),
                (Some(line), Some((before, same, since))) if (number, &line) == (*before, same) => {
                    if since.elapsed() >= LEASE {
                        return Ok(Some(number + 1));
                    }
                }
                (Some(_), Some(_)) => return Ok(None),
                (Some(line), None) => seen = Some((number, line, Instant::now())),
                // Passed over by somebody who was faster.
                (None, _) => {}
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn key(&self, number: u64) -> Path {
        self.folder.clone().join(format!("{number:020}"))
    }

    async fn numbers(&self) -> Result<Vec<u64>> {
        let listed = self.inner.store.list(Some(&self.folder));
        let numbers = listed.try_filter_map(async |object| {
            Ok(object.location.filename().and_then(|number| number.parse::<u64>().ok()))
        });
        numbers.try_collect().await.map_err(|error| map(error, DOING))
    }

    async fn read(&self, number: u64) -> Result<Option<Line>> {
        match self.inner.read_object(&self.key(number), DOING).await {
            // What can't be read is nobody's: a holder would write it anew.
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).unwrap_or_default())),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn line(&self, held: bool, beat: u64) -> Result<Vec<u8>> {
        let line = Line { holder: held.then(|| self.holder.clone()), beat };
        serde_json::to_vec(&line).map_err(|error| Error::Io(error.into(), DOING.into()))
    }

    async fn write(&self, number: u64, held: bool, beat: u64) -> Result<()> {
        self.inner.write_object(&self.key(number), self.line(held, beat)?.into(), DOING).await
    }

    /// Renews a claim; false if another has passed it.
    async fn renew(&self, number: u64, beat: u64) -> Result<bool> {
        self.write(number, true, beat).await?;
        Ok(self.numbers().await?.into_iter().all(|other| other <= number))
    }
}

async fn renew(claims: Claims, number: u64, pulse: Arc<Pulse>) {
    let (mut beat, mut wait) = (0, HEARTBEAT);
    loop {
        tokio::time::sleep(wait).await;
        beat += 1;
        let begin = Instant::now();
        wait = LOOK;
        match tokio::time::timeout(RENEWAL, claims.renew(number, beat)).await {
            Ok(Ok(true)) => {
                pulse.beat(begin, Instant::now());
                wait = HEARTBEAT;
            }
            Ok(Ok(false)) => pulse.stop(),
            Ok(Err(error)) => tracing::warn!(%error, "the lease could not be renewed, trying again"),
            Err(_) => tracing::warn!("the lease could not be renewed in time, trying again"),
        }
        if !pulse.is_felt(Instant::now()) {
            return pulse.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_lost_before_a_rival_may_pass_it_over_and_stays_lost() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let pulse = Pulse(Mutex::new(Some(begin)));
        assert!(pulse.is_felt(at(7)) && !pulse.is_felt(at(8)));
        pulse.beat(at(5), at(7));
        assert!(pulse.is_felt(at(12)) && !pulse.is_felt(at(13)));
        // A renewal that took so long that a rival may have made a claim which it did not see.
        pulse.beat(at(12), at(14));
        assert!(!pulse.is_felt(at(14)));
        pulse.beat(at(15), at(15));
        assert!(!pulse.is_felt(at(15)));
    }
}
