//! Checkpoints: signed statements of how far the chain has come, each over the one before.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_catalog::trail::checkpoint::{self, Checkpoint};
use berth_catalog::trail::{Hash, Trail, head};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::keys::{PublicKey, SigningKeys};

/// How often it is looked whether one is due.
const TICK: Duration = Duration::from_secs(10);

/// Signs from time to time how far the chain has come. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    trail: Trail,
    keys: SigningKeys,
    every: SignedDuration,
    records: i64,
}

impl Checkpoints {
    /// Signs the head of `trail` with the last of `keys`.
    pub fn new(trail: Trail, keys: SigningKeys, config: &Config) -> Self {
        let seconds = i64::try_from(config.checkpoint_seconds).unwrap_or(i64::MAX);
        let records = i64::try_from(config.checkpoint_records).unwrap_or(i64::MAX).max(1);
        Self { trail, keys, every: SignedDuration::from_secs(seconds), records }
    }

    /// Signs when it is due, until `stop` says true.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        loop {
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "cannot sign a checkpoint of the audit trail");
            }
            if tokio::time::timeout(TICK, stop.wait_for(|stop| *stop)).await.is_ok() {
                return;
            }
        }
    }

    async fn look(&self) -> Result<()> {
        let (head, last) = self
            .trail
            .read(async |r| Ok::<_, berth_catalog::Error>((head::find(r).await?, checkpoint::last(r).await?)))
            .await?;
        let (position, at) = last.map_or((0, Timestamp::MIN), |last| (last.position, last.at));
        let new = head.position - position;
        let old = self.trail.clock().now().duration_since(at) >= self.every;
        if new >= self.records || (new > 0 && old) {
            self.take().await?;
        }
        Ok(())
    }

    /// Signs how far the chain has come now, and the checkpoint before: none can be taken out afterwards. `None` for a trail without
    /// records.
    pub async fn take(&self) -> Result<Option<SignedCheckpoint>> {
        let (keys, at) = (self.keys.clone(), self.trail.clock().now());
        let taken = self.trail.write(async move |tx| {
            // One after the other, on whatever node: each goes on from the last.
            let head = head::take(tx).await?;
            let last = checkpoint::last(tx).await?;
            if let Some(last) = last.as_ref().filter(|last| last.position >= head.position) {
                return Ok::<_, Error>(Some((last.clone(), false)));
            }
            if head.position == 0 {
                return Ok(None);
            }
            let previous = last.as_ref().map_or(Hash::ZERO, link);
            let row = sign((head.position, head.hash), previous, at, &keys)?;
            checkpoint::insert(tx, &row).await?;
            Ok(Some((row, true)))
        });
        let Some((row, is_new)) = taken.await? else { return Ok(None) };
        let signed = SignedCheckpoint::new(&row, &self.keys.public());
        if let Some(signed) = signed.as_ref().filter(|_| is_new) {
            // Whoever collects log lines elsewhere is a witness.
            tracing::info!(
                position = signed.position,
                hash = signed.hash,
                previous = signed.previous,
                at = %signed.at,
                kid = signed.kid,
                signature = signed.signature,
                "checkpoint of the audit trail"
            );
        }
        signed
            .map(Some)
            .ok_or_else(|| Error::Key(format!("{} signed the last checkpoint and is gone", row.kid)))
    }
}

/// Signs that the chain up to `position` ends in `hash`.
fn sign(
    (position, hash): (i64, Hash),
    previous: Hash,
    at: Timestamp,
    keys: &SigningKeys,
) -> Result<Checkpoint> {
    let mut row = Checkpoint { position, hash, previous, at, kid: String::new(), signature: Vec::new() };
    let signed = keys.sign(message(&row).as_bytes());
    let (key, signature) = signed.ok_or_else(|| Error::Key("there is none".to_owned()))?;
    (row.kid, row.signature) = (key.kid(), signature);
    Ok(row)
}

/// A checkpoint as it is handed out: for a place that whoever has the database does not reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedCheckpoint {
    /// Position of a record.
    pub position: i64,
    /// Its hash in hexadecimal.
    pub hash: String,
    /// Hash of the checkpoint before, in hexadecimal.
    pub previous: String,
    /// When this was signed.
    pub at: Timestamp,
    /// Which key signed.
    pub kid: String,
    /// That key, in base64.
    pub public_key: String,
    /// Signature in base64.
    pub signature: String,
}

impl SignedCheckpoint {
    /// `None` if none of `keys` is the one that it names.
    fn new(row: &Checkpoint, keys: &[PublicKey]) -> Option<Self> {
        let key = keys.iter().find(|key| key.kid() == row.kid)?;
        Some(Self {
            position: row.position,
            hash: row.hash.to_string(),
            previous: row.previous.to_string(),
            at: row.at,
            kid: row.kid.clone(),
            public_key: key.to_string(),
            signature: STANDARD.encode(&row.signature),
        })
    }

    /// Returns the row that it was, if one of `keys` signed it.
    pub(crate) fn checked(&self, keys: &[PublicKey]) -> Option<Checkpoint> {
        let row = Checkpoint {
            position: self.position,
            hash: Hash::from_hex(&self.hash)?,
            previous: Hash::from_hex(&self.previous)?,
            at: self.at,
            kid: self.kid.clone(),
            signature: STANDARD.decode(&self.signature).ok()?,
        };
        is_signed(&row, keys).then_some(row)
    }
}

/// Tells whether the one of `keys` that a checkpoint names signed it.
pub(crate) fn is_signed(row: &Checkpoint, keys: &[PublicKey]) -> bool {
    let message = message(row);
    let mut named = keys.iter().filter(|key| key.kid() == row.kid);
    named.any(|key| key.verifies(message.as_bytes(), &row.signature))
}

/// Returns what the next checkpoint says of this one.
pub(crate) fn link(row: &Checkpoint) -> Hash {
    let hasher = Sha256::new().chain_update(message(row)).chain_update(&row.signature);
    Hash(hasher.finalize().into())
}

/// What is signed: readable, and like nothing else that a key of Berth signs.
fn message(row: &Checkpoint) -> String {
    let Checkpoint { position, hash, previous, at, .. } = row;
    format!(
        "berth audit checkpoint 1\nposition {position}\nhash {hash}\nprevious {previous}\nat {}\n",
        at.as_microsecond()
    )
}
