//! The end of an import: every blob's bytes are compared with its digest and come into our own store.

use std::fs;
use std::time::Duration;

use berth_blobs::{Location, Progress, UploadId};
use berth_catalog::blob::{self, Placement};
use berth_catalog::imported::{self, Foreign};
use berth_catalog::{Tx, hold};
use berth_jobs::{Failure, Work};
use futures_util::StreamExt as _;
use serde_json::json;

use super::layout::OldStore;
use super::repository::blocking;
use super::start::sync_parent;
use crate::rehash::hash_stored;
use crate::{CollectJob, Error, Registry, Result};

/// Blobs read from the catalog at a time.
const PAGE: usize = 64;
/// Blobs moved at a time: each waits for several syncs.
const AT_ONCE: usize = 8;
/// How often a backup under way is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Bytes copied at a time.
const STEP_BYTES: usize = 1 << 20;

impl Registry {
    /// Moves the bytes, blob after blob, and ends the import. What is moved stays moved if this is interrupted. Returns the number of
    /// blobs moved and what was damaged.
    pub(super) async fn move_bytes(&self, work: &Work) -> Result<(u64, Vec<String>), Failure> {
        let old = self.0.import.store().cloned();
        let old = old.ok_or_else(|| Failure::Permanent("there is nothing to import any more".into()))?;
        let (mut moved, mut damaged, mut after) = (0, Vec::new(), String::new());
        let catalog = &self.0.catalog;
        let (total, _) =
            catalog.read(async |r| imported::count_foreign(r).await).await.map_err(Error::from)?;
        loop {
            let page = catalog
                .read(async |r| imported::list_foreign(r, &after, PAGE).await)
                .await
                .map_err(Error::from)?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.location);
            let under_way = page.into_iter().map(|item| self.move_blob(&old, item));
            let mut under_way = futures_util::stream::iter(under_way).buffer_unordered(AT_ONCE);
            while let Some(ended) = under_way.next().await {
                match ended? {
                    None => moved += 1,
                    Some(problem) => damaged.push(problem),
                }
                work.report(&json!({ "phase": "bytes", "done": moved, "total": total }));
            }
            if work.should_stop() {
                return Err(Failure::Stopped);
            }
        }
        self.await_backups(work).await?;
        catalog.write(async |tx: &mut Tx| imported::forget_places(tx).await).await.map_err(Error::from)?;
        catalog.forgotten().await;
        let link = old.root().to_owned();
        blocking(move || {
            fs::remove_file(&link)?;
            sync_parent(&link)
        })
        .await?;
        catalog.write(async move |tx| imported::clear(tx).await).await.map_err(Error::from)?;
        Ok((moved, damaged))
    }

    /// Waits for a backup under way, which may know bytes by the places that the old store gave them. One that begins later finds all of
    /// them in our own.
    async fn await_backups(&self, work: &Work) -> Result<(), Failure> {
        let catalog = &self.0.catalog;
        loop {
            let now = catalog.clock().now();
            let held = catalog.read(async |r| hold::is_held(r, CollectJob::KIND, now).await).await;
            if !held.map_err(Error::from)? {
                return Ok(());
            }
            if work.should_stop() {
                return Err(Failure::Stopped);
            }
            work.report(&json!({ "phase": "waiting for a backup under way" }));
            work.pause(LOOK).await;
        }
    }

    /// Moves one blob; returns what is wrong with it, if something is.
    async fn move_blob(&self, old: &OldStore, item: Foreign) -> Result<Option<String>> {
        let location = Location::from(item.location.as_str());
        let reason = match self.0.blobs.open(&location).await {
            Ok(reader) if reader.size() != item.size => Some("its file has another size"),
            Ok(reader) => match hash_stored(reader.as_ref(), item.digest.algorithm()).await {
                Ok(computed) if computed == item.digest => None,
                Ok(_) => Some("its bytes do not match its digest"),
                Err(berth_blobs::Error::Truncated { .. }) => Some("its file ends early"),
                Err(error) => return Err(error.into()),
            },
            Err(berth_blobs::Error::NotFound) => Some("its bytes are gone"),
            Err(error) => return Err(error.into()),
        };
        match reason {
            None => self.adopt(old, item).await.map(|()| None),
            Some(reason) => self.set_aside(&item, reason).await.map(Some),
        }
    }

    async fn set_aside(&self, item: &Foreign, reason: &str) -> Result<String> {
        let digest = item.digest;
        let known = self.0.catalog.read(async |r| blob::find_anywhere(r, &digest).await).await?;
        if let Some((id, _, placement)) = known
            && placement == Placement::Stored(item.location.clone())
        {
            self.quarantine(digest, id, &placement, reason).await?;
        }
        Ok(format!("{digest}: {reason}"))
    }

    /// Brings bytes that were compared into our store, by a second name where the file system allows it.
    async fn adopt(&self, old: &OldStore, item: Foreign) -> Result<()> {
        let upload = UploadId::random();
        if !self.0.blobs.adopt(&upload, &old.file(&item.digest)).await? {
            self.check_room().await?;
            if let Err(error) = self.copy(&upload, &item).await {
                self.0.blobs.discard(&upload).await?;
                return Err(error);
            }
        }
        let location = self.0.blobs.publish(&upload, &item.digest).await?;
        let to = location.as_str().to_owned();
        let unit = async move |tx: &mut Tx| imported::move_blob(tx, &item, &to).await;
        if !self.0.catalog.write(unit).await? && !self.is_known(&location).await? {
            // Collected or healed meanwhile.
            self.0.blobs.delete(&location).await?;
        }
        Ok(self.0.blobs.discard(&upload).await?)
    }

    async fn copy(&self, upload: &UploadId, item: &Foreign) -> Result<()> {
        let reader = self.0.blobs.open(&Location::from(item.location.as_str())).await?;
        let mut writer = self.0.blobs.writer(upload, Progress::start(item.digest.algorithm())).await?;
        let mut offset = 0;
        while offset < item.size {
            let bytes = reader.read(offset, STEP_BYTES).await?;
            if bytes.is_empty() {
                return Err(berth_blobs::Error::Truncated { stored: offset, expected: item.size }.into());
            }
            offset += bytes.len() as u64;
            writer.write(bytes).await?;
        }
        let computed = writer.seal().await?.hasher.finish();
        if computed == item.digest {
            return Ok(());
        }
        Err(Error::DigestMismatch { given: item.digest, computed })
    }
}
