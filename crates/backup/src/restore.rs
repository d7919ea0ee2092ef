//! Makes an empty catalog and store hold what a point holds, and compares every digest on the way.

use std::time::Instant;

use berth_blobs::{Blobs, Location, UploadId};
use berth_catalog::export::{Blob, BlobLink, Event, Exported, Manifest, Pull, Repository, Tag};
use berth_catalog::restore::{self, Restored as Row};
use berth_catalog::{Catalog, Tx, event};
use berth_oci::Digest;
use futures_util::StreamExt as _;

use crate::archive::Archive;
use crate::content::{Kept, send};
use crate::error::{Error, Result};
use crate::point::{Problem, Summary};
use crate::table::Rows;
use crate::{Step, Watch};

/// Rows in one unit of work; of manifests, which may have megabytes each, fewer.
const BATCH: usize = 512;
const MANIFESTS: usize = 16;
/// Blobs copied at a time.
const COPIES: usize = 4;
/// Events compared at a time.
const EVENTS: usize = 256;

/// What a restore brought.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    /// Repositories.
    pub repositories: u64,
    /// Blobs, those in rows included.
    pub blobs: u64,
    /// Bytes of blobs.
    pub bytes: u64,
    /// Manifests.
    pub manifests: u64,
    /// Tags.
    pub tags: u64,
    /// Events.
    pub events: u64,
    /// What is not whole: such blobs are not served until they are pushed again.
    pub problems: Vec<Problem>,
    /// First event whose hash is wrong, if one is.
    pub broken_event: Option<i64>,
    /// Seconds that it took.
    pub seconds: f64,
}

/// A blob's row, and where its bytes are now.
struct Placed {
    row: Blob,
    /// The location, and the upload that is to be discarded once it is committed.
    place: Option<(UploadId, Location)>,
    problem: Option<String>,
}

/// Restores a point into an empty catalog and an empty store.
///
/// # Errors
/// [`Error::NotEmpty`] when the catalog holds something; [`Error::Damaged`] when a file of the point is not what it was.
pub async fn restore(
    archive: &Archive,
    (name, summary): (&str, &Summary),
    catalog: &Catalog,
    blobs: &dyn Blobs,
    watch: Watch<'_>,
) -> Result<Restored> {
    if !catalog.read(async |r| restore::is_empty(r).await).await? {
        return Err(Error::NotEmpty);
    }
    let started = Instant::now();
    let mut restored = Restored::default();
    let into = Into { archive, name, summary, catalog, watch };
    restored.repositories = into.rows::<Repository>(BATCH, |_| None, &mut restored.problems).await?;
    into.blobs(blobs, &mut restored).await?;
    into.rows::<BlobLink>(BATCH, |_| None, &mut restored.problems).await?;
    let check = |manifest: &Manifest| {
        let right = Digest::of(manifest.digest.algorithm(), manifest.content.as_bytes()) == manifest.digest;
        let reason = "the bytes of this manifest do not match its digest".to_owned();
        (!right).then_some(Problem { digest: manifest.digest, reason })
    };
    restored.manifests = into.rows::<Manifest>(MANIFESTS, check, &mut restored.problems).await?;
    restored.tags = into.rows::<Tag>(BATCH, |_| None, &mut restored.problems).await?;
    into.rows::<Pull>(BATCH, |_| None, &mut restored.problems).await?;
    restored.events = into.rows::<Event>(BATCH, |_| None, &mut restored.problems).await?;
    restored.broken_event = into.verify_events().await?;
    restored.seconds = started.elapsed().as_secs_f64();
    Ok(restored)
}

struct Into<'a> {
    archive: &'a Archive,
    name: &'a str,
    summary: &'a Summary,
    catalog: &'a Catalog,
    watch: Watch<'a>,
}

impl Into<'_> {
    fn open<T: Exported>(&self) -> Result<Rows<T>> {
        Rows::open(&self.archive.point(self.name), &self.summary.files)
    }

    /// Takes a table in, batch by batch; returns its number of rows.
    async fn rows<T: Row + Send + Sync + 'static>(
        &self,
        batch: usize,
        check: impl Fn(&T) -> Option<Problem>,
        problems: &mut Vec<Problem>,
    ) -> Result<u64> {
        let mut rows = self.open::<T>()?;
        let mut done = 0;
        loop {
            let next = rows.next(batch)?;
            if next.is_empty() {
                return Ok(done);
            }
            done += next.len() as u64;
            problems.extend(next.iter().filter_map(&check));
            let unit = async move |tx: &mut Tx| {
                for row in &next {
                    row.restore(tx).await?;
                }
                Ok::<_, berth_catalog::Error>(())
            };
            self.catalog.write(unit).await?;
            (self.watch)(Step { phase: T::NOUN, done, total: rows.total() });
        }
    }

    async fn blobs(&self, blobs: &dyn Blobs, restored: &mut Restored) -> Result<()> {
        let mut rows = self.open::<Blob>()?;
        loop {
            let next = rows.next(BATCH)?;
            if next.is_empty() {
                return Ok(());
            }
            let copies = next.into_iter().map(|row| self.place(blobs, row));
            let mut copies = futures_util::stream::iter(copies).buffer_unordered(COPIES);
            let mut placed = Vec::with_capacity(BATCH);
            while let Some(blob) = copies.next().await {
                let blob = blob?;
                restored.blobs += 1;
                restored.bytes += blob.row.size;
                if let Some(reason) = &blob.problem {
                    restored.problems.push(Problem { digest: blob.row.digest, reason: reason.clone() });
                }
                placed.push(blob);
                (self.watch)(Step { phase: "bytes", done: restored.bytes, total: self.summary.blob_bytes });
            }
            let uploads: Vec<UploadId> =
                placed.iter().filter_map(|blob| blob.place.as_ref().map(|(upload, _)| *upload)).collect();
            let now = self.catalog.clock().now().as_microsecond();
            self.catalog.write(async move |tx| insert(tx, &placed, now).await).await?;
            for upload in uploads {
                blobs.discard(&upload).await?;
            }
        }
    }

    async fn place(&self, blobs: &dyn Blobs, row: Blob) -> Result<Placed> {
        if let Some(content) = &row.content {
            let right = row.damaged_at.is_none()
                && Digest::of(row.digest.algorithm(), content) == row.digest
                && content.len() as u64 == row.size;
            let problem = (!right).then(|| "its bytes do not match its digest".to_owned());
            return Ok(Placed { row, place: None, problem });
        }
        Ok(match send(self.archive, blobs, &row.digest, row.size).await? {
            Kept::Whole(place) => Placed { row, place: Some(place), problem: None },
            Kept::Damaged(reason) => Placed { row, place: None, problem: Some(reason) },
        })
    }

    /// Walks the chain of events to the hash that the summary notes.
    async fn verify_events(&self) -> Result<Option<i64>> {
        let broken = self.catalog.read(async |r| event::verify(r, EVENTS).await).await?;
        let (position, hash) = self.catalog.read(async |r| event::last(r).await).await?;
        let same = (position, &hash) == (self.summary.event_position, &self.summary.event_hash);
        Ok(broken.or_else(|| (!same).then_some(position)))
    }
}

async fn insert(tx: &mut Tx, placed: &[Placed], now: i64) -> Result<(), Error> {
    for blob in placed {
        let row = &blob.row;
        let bytes = match (&blob.problem, &blob.place, &row.content) {
            (None, Some((_, location)), _) => restore::Bytes::Stored(location.as_str()),
            (None, None, Some(content)) => restore::Bytes::Inline(content),
            _ => restore::Bytes::Lost(row.damaged_at.unwrap_or(now)),
        };
        restore::insert_blob(tx, &row.digest, row.size, row.created_at, bytes).await?;
    }
    Ok(())
}
