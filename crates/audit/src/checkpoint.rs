use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_catalog::trail::checkpoint::{self, Checkpoint};
use berth_catalog::trail::{Hash, Trail, head};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
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

    /// Signs how far the chain has come now. `None` for a trail without records.
    pub async fn take(&self) -> Result<Option<SignedCheckpoint>> {
        let head = self.trail.read(async |r| head::find(r).await).await?;
        if head.position == 0 {
            return Ok(None);
        }
        self.sign(head.position, head.hash).await.map(Some)
    }

    /// Signs that the chain up to `position` ends in `hash`.
    pub(crate) async fn sign(&self, position: i64, hash: Hash) -> Result<SignedCheckpoint> {
        let at = self.trail.clock().now();
        let message = message(position, &hash, at);
        let signed = self.keys.sign(message.as_bytes());
        let (key, signature) = signed.ok_or_else(|| Error::Key("there is none".to_owned()))?;
        let row = Checkpoint { position, hash, at, kid: key.kid(), signature };
        let kept = row.clone();
        self.trail.write(async move |tx| checkpoint::insert(tx, &kept).await).await?;
        let signed = SignedCheckpoint::new(&row, &key);
        // Whoever collects log lines elsewhere is a witness.
        tracing::info!(
            position,
            hash = signed.hash,
            at = %at,
            kid = signed.kid,
            signature = signed.signature,
            "checkpoint of the audit trail"
        );
        Ok(signed)
    }
}

/// A checkpoint as it is handed out: for a place that whoever has the database does not reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedCheckpoint {
    /// Position of a record.
    pub position: i64,
    /// Its hash in hexadecimal.
    pub hash: String,
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
    pub(crate) fn new(row: &Checkpoint, key: &PublicKey) -> Self {
        Self {
            position: row.position,
            hash: row.hash.to_string(),
            at: row.at,
            kid: row.kid.clone(),
            public_key: key.to_string(),
            signature: STANDARD.encode(&row.signature),
        }
    }

    /// Returns the row that it was, if one of `keys` signed it.
    pub(crate) fn checked(&self, keys: &[PublicKey]) -> Option<Checkpoint> {
        let row = Checkpoint {
            position: self.position,
            hash: Hash::from_hex(&self.hash)?,
            at: self.at,
            kid: self.kid.clone(),
            signature: STANDARD.decode(&self.signature).ok()?,
        };
        is_signed(&row, keys).then_some(row)
    }
}

/// Tells whether the one of `keys` that a checkpoint names signed it.
pub(crate) fn is_signed(row: &Checkpoint, keys: &[PublicKey]) -> bool {
    let message = message(row.position, &row.hash, row.at);
    let mut named = keys.iter().filter(|key| key.kid() == row.kid);
    named.any(|key| key.verifies(message.as_bytes(), &row.signature))
}

/// What is signed: readable, and like nothing else that a key of Berth signs.
fn message(position: i64, hash: &Hash, at: Timestamp) -> String {
    format!("berth audit checkpoint 1\nposition {position}\nhash {hash}\nat {}\n", at.as_microsecond())
}
