//! The end of an import: every blob's bytes are compared with its digest and come into our own store.

use std::fs;
use std::time::Duration;

use berth_blobs::{BlobReader, Location, Progress, UploadId};
use berth_catalog::blob::{self, Placement};
use berth_catalog::imported::{self, Foreign};
use berth_catalog::{Tx, hold, upload};
use berth_jobs::{Failure, Work};
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::json;

use super::CALLER;
use super::layout::OldStore;
use super::start::{blocking, sync_parent};
use crate::pull::{BlobContent, BlobHandle};
use crate::rehash::{Pace, Verdict, compare, copy};
use crate::scrub::Opened;
use crate::{CollectJob, Error, Registry, Result};

/// Blobs read from the catalog at a time.
const PAGE: usize = 64;
/// Blobs moved at a time: each waits for several syncs.
const AT_ONCE: usize = 8;
/// How often a backup under way is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// What became of one blob.
enum Ended {
    Moved,
    /// It is damaged, and how.
    Aside(String),
    /// It was asked to stop.
    Stopped,
}

/// What a run has done so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) moved: u64,
    pub(super) damaged: Vec<String>,
}

impl Registry {
    /// Moves the bytes, blob after blob, and ends the import. What is moved stays moved if this is interrupted.
    pub(super) async fn move_bytes(&self, old: &OldStore, work: &Work) -> Result<Tally, Failure> {
        let catalog = &self.0.catalog;
        let mut tally = Tally::default();
        loop {
            self.move_pages(old, work, &mut tally).await?;
            self.await_backups(work).await?;
            catalog
                .write(async |tx: &mut Tx| imported::forget_places(tx).await)
                .await
                .map_err(Error::from)?;
            catalog.forgotten().await;
            if self.end_import(old).await? {
                return Ok(tally);
            }
        }
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

    async fn move_pages(&self, old: &OldStore, work: &Work, tally: &mut Tally) -> Result<(), Failure> {
        let catalog = &self.0.catalog;
        let (left, _) =
            catalog.read(async |r| imported::count_foreign(r).await).await.map_err(Error::from)?;
        let (total, mut after) = (tally.moved + left, String::new());
        loop {
            let page = catalog
                .read(async |r| imported::list_foreign(r, &after, PAGE).await)
                .await
                .map_err(Error::from)?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.location);
            // Each comes to its end, which is near when all should stop.
            let mut moves = Vec::new();
            for item in page {
                moves.push(self.move_blob(old, item, work).boxed());
            }
            let mut under_way = futures_util::stream::iter(moves).buffer_unordered(AT_ONCE);
            while let Some(ended) = under_way.next().await {
                match ended? {
                    Ended::Moved => tally.moved += 1,
                    Ended::Aside(problem) => tally.damaged.push(problem),
                    Ended::Stopped => {}
                }
                work.report(&json!({ "phase": "bytes", "done": tally.moved, "total": total }));
            }
            if work.should_stop() {
                return Err(Failure::Stopped);
            }
        }
    }

    /// Forgets the other store, unless a blob has come to lie there again: one that was damaged may be whole again.
    async fn end_import(&self, old: &OldStore) -> Result<bool> {
        let catalog = &self.0.catalog;
        if catalog.read(async |r| imported::count_foreign(r).await).await?.0 > 0 {
            return Ok(false);
        }
        if old.source().is_none()
            && let Some(sources) = &self.0.import.sources
        {
            let link = sources.elsewhere.link().to_owned();
            blocking(move || {
                fs::remove_file(&link)?;
                sync_parent(&link)
            })
            .await?;
        }
        let unit = async |tx: &mut Tx| {
            let (left, _) = imported::count_foreign(tx).await?;
            if left == 0 {
                imported::clear(tx).await?;
            }
            Ok::<_, Error>(left == 0)
        };
        let ended = catalog.write(unit).await?;
        self.heed_import().await?;
        Ok(ended)
    }

    async fn move_blob(&self, old: &OldStore, item: Foreign, work: &Work) -> Result<Ended> {
        if work.should_stop() {
            return Ok(Ended::Stopped);
        }
        let reader = match self.open_whole(&item.location, item.size).await? {
            Opened::Whole(reader) => reader,
            Opened::Differs(reason) => return self.set_aside(&item, reason).await,
        };
        let upload = UploadId::random();
        let brought = self.bring(old, &item, reader, &upload, &mut Pace::of(work, 0)).await;
        let ended = match brought {
            Ok(Verdict::Matches) => {
                self.0.blobs.discard(&upload).await?;
                return Ok(Ended::Moved);
            }
            Ok(Verdict::Differs(reason)) => self.set_aside(&item, reason).await,
            Ok(Verdict::Stopped) => Ok(Ended::Stopped),
            Ok(Verdict::Unreadable(error)) => Err(error.into()),
            // The commit may have happened, or may yet: what it left is settled like that of an upload.
            Err(error @ Error::Unavailable(_)) => return Err(error),
            Err(error) => Err(error),
        };
        self.forget_upload(upload).await?;
        ended
    }

    async fn set_aside(&self, item: &Foreign, reason: &str) -> Result<Ended> {
        let digest = item.digest;
        let known = self.0.catalog.read(async |r| blob::find_anywhere(r, &digest).await).await?;
        if let Some((id, _, placement)) = known
            && placement == Placement::Stored(item.location.clone())
        {
            self.quarantine(digest, id, &placement, reason).await?;
        }
        Ok(Ended::Aside(format!("{digest}: {reason}")))
    }

    /// Brings bytes into our store and compares them on the way: by a second name where the file system allows it.
    async fn bring(
        &self,
        old: &OldStore,
        item: &Foreign,
        reader: std::sync::Arc<dyn BlobReader>,
        upload: &UploadId,
        pace: &mut Pace<'_>,
    ) -> Result<Verdict> {
        let adopted = match old.file(&item.digest) {
            Some(file) => self.0.blobs.adopt(upload, &file).await?,
            None => false,
        };
        let verdict = if adopted {
            let content = BlobContent::Stored(reader);
            compare(&BlobHandle { digest: item.digest, size: item.size, content }, pace).await
        } else {
            self.check_room().await?;
            self.book_move(item, upload).await?;
            let writer = self.0.blobs.writer(upload, Progress::start(item.digest.algorithm())).await?;
            copy(reader.as_ref(), &item.digest, writer, pace).await
        };
        if !matches!(verdict, Verdict::Matches) {
            return Ok(verdict);
        }
        let location = self.0.blobs.publish(upload, &item.digest).await?;
        self.point(item, upload, &location).await?;
        Ok(Verdict::Matches)
    }

    /// Gives the upload a row, where a store of several nodes can't list what it has: without one its bytes would be litter.
    async fn book_move(&self, item: &Foreign, upload: &UploadId) -> Result<()> {
        if self.0.blobs.lists_leftovers() {
            return Ok(());
        }
        let (text, digest, now) = (upload.to_string(), item.digest, self.now());
        let state = Progress::start(digest.algorithm()).hasher.save();
        let unit = async move |tx: &mut Tx| {
            upload::insert_anew(tx, &text, &digest, CALLER, &state, now).await.map(drop)
        };
        Ok(self.0.catalog.write(unit).await?)
    }

    /// Points the blob's row at its new place.
    async fn point(&self, item: &Foreign, upload: &UploadId, location: &Location) -> Result<()> {
        let (item, to, text) = (item.clone(), location.as_str().to_owned(), upload.to_string());
        let unit = async move |tx: &mut Tx| {
            upload::finish(tx, &text).await?;
            imported::move_blob(tx, &item, &to).await
        };
        if !self.0.catalog.write(unit).await? && !self.is_known(location).await? {
            // Collected or healed meanwhile.
            self.0.blobs.delete(location).await?;
        }
        Ok(())
    }
}
