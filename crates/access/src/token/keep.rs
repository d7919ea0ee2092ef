//! The keys over time: heard of from other nodes, and replaced when they are old.

use std::time::Duration;

use tokio::sync::watch;

use super::error::TokenError;
use super::rotation::{self, BY_ITSELF, Successor};
use super::tokens::{Inner, Tokens};

/// How often it is looked whether keys have changed.
const LOOK: Duration = Duration::from_millis(250);
/// How many of these looks lie between two at the age of the key that signs.
const LOOKS_PER_UPKEEP: u32 = 240;

impl Tokens {
    /// Follows the keys of all nodes, and lets another take over from one that is too old, until `stop` turns true. `generation` tells
    /// when something of access has changed that other nodes may have done.
    pub(super) async fn keep(
        &self,
        mut stop: watch::Receiver<bool>,
        generation: impl Fn() -> Option<i64>,
        may_write: impl Fn() -> bool,
    ) {
        let (mut seen, mut looks, mut failing) = (None, 0_u32, false);
        while tokio::time::timeout(LOOK, stop.wait_for(|stop| *stop)).await.is_err() {
            let upkeep = looks % LOOKS_PER_UPKEEP == 0 && may_write();
            let kept = self.heed(&mut seen, generation().unwrap_or_default(), upkeep).await;
            looks = looks.wrapping_add(1);
            match kept {
                Ok(()) => failing = false,
                // Once, not four times a second.
                Err(error) if !failing => {
                    tracing::warn!(%error, "could not follow the keys of tokens, trying again");
                    failing = true;
                }
                Err(_) => {}
            }
        }
    }

    async fn heed(&self, seen: &mut Option<i64>, generation: i64, upkeep: bool) -> Result<(), TokenError> {
        let Inner { catalog, vault, keys, config, .. } = &*self.0;
        if *seen != Some(generation) {
            keys.load().await?;
            *seen = Some(generation);
        }
        let days = i64::from(config.key_days);
        if upkeep && days > 0 {
            let limit = catalog.clock().now() - jiff::SignedDuration::from_hours(24 * days);
            let is_old = keys.current().signer().is_some_and(|pair| pair.made_at < limit);
            if is_old
                && let Some(kid) =
                    rotation::rotate(catalog, vault, Successor::IfOlder(limit), &BY_ITSELF.into()).await?
            {
                tracing::info!(kid, "another key signs tokens from now on");
            }
        }
        Ok(())
    }
}
