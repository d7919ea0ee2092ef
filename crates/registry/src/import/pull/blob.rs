//! The blobs of a manifest: what is here is not fetched again.

use std::collections::HashMap;
use std::sync::Arc;

use berth_catalog::{link, repository};
use berth_oci::{Descriptor, Digest, Manifest};
use futures_util::future::try_join_all;

use super::fault::Fault;
use super::{Pulling, Source};

/// Repositories here that are asked for a blob.
const HOLDERS: usize = 64;

impl Pulling {
    /// Takes in the blobs that a manifest names and this repository lacks. Returns whether there were any.
    pub(super) async fn take_blobs(&self, source: &Source, manifest: &Manifest) -> Result<bool, Fault> {
        let mut wanted: HashMap<Digest, &Descriptor> = HashMap::new();
        for descriptor in manifest.config.iter().chain(&manifest.layers) {
            wanted.entry(descriptor.digest).or_insert(descriptor);
        }
        let digests: Vec<Digest> = wanted.keys().copied().collect();
        for here in self.blobs_here(source, &digests).await? {
            wanted.remove(&here);
        }
        // A layer that lives elsewhere may be missing there too, each time anew.
        let brought =
            try_join_all(wanted.into_values().map(|descriptor| self.take_blob(source, descriptor))).await?;
        Ok(brought.contains(&true))
    }

    async fn blobs_here(&self, source: &Source, digests: &[Digest]) -> Result<Vec<Digest>, Fault> {
        let found = self.registry.0.catalog.read(async |r| {
            let Some(repository) = repository::find(r, &source.to).await? else { return Ok(Vec::new()) };
            let found = link::find_all(r, &repository, digests).await?;
            Ok::<_, berth_catalog::Error>(found.into_keys().collect())
        });
        Ok(found.await?)
    }

    /// Takes one blob in, or links one that is here and that the other registry has too. Returns whether it came.
    async fn take_blob(&self, source: &Source, descriptor: &Descriptor) -> Result<bool, Fault> {
        let turn = Arc::clone(self.turns.lock().entry(descriptor.digest).or_default());
        let taken = {
            let _turn = turn.lock().await;
            self.take_in_turn(source, descriptor).await
        };
        drop(turn);
        let mut turns = self.turns.lock();
        if turns.get(&descriptor.digest).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            turns.remove(&descriptor.digest);
        }
        taken
    }

    async fn take_in_turn(&self, source: &Source, descriptor: &Descriptor) -> Result<bool, Fault> {
        self.check_stop()?;
        let digest = descriptor.digest;
        if !self.blobs_here(source, &[digest]).await?.is_empty() {
            return Ok(false);
        }
        let text = digest.to_string();
        let holders =
            self.registry.0.catalog.read(async |r| repository::list_linking(r, &text, HOLDERS).await).await?;
        if self.order.dry_run {
            self.count(descriptor, !holders.is_empty());
            return Ok(true);
        }
        // The semaphore is never closed.
        let _place = self.transfers.acquire().await.map_err(|_| Fault::Stopped)?;
        if let Some(holder) = holders.first()
            && self.link(source, holder, descriptor).await?
        {
            self.tally(|report| report.linked += 1);
            return Ok(true);
        }
        if self.transfer(source, descriptor).await? {
            self.tally(|report| {
                report.blobs += 1;
                report.bytes += descriptor.size;
            });
            return Ok(true);
        }
        // Whether the manifest may lack it is decided where it is pushed.
        Ok(false)
    }

    fn count(&self, descriptor: &Descriptor, is_held: bool) {
        if !self.counted.lock().insert(descriptor.digest) {
            return;
        }
        self.tally(|report| {
            if is_held {
                report.linked += 1;
            } else {
                report.blobs += 1;
                report.bytes += descriptor.size;
            }
        });
    }
}
