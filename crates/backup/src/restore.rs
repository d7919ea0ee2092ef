//! Makes an empty catalog and store hold what a point holds, and compares every digest on the way.

use std::time::Instant;

use berth_blobs::{Blobs, Location, UploadId};
use berth_catalog::export::{
    Account, AppPassword, Binding, Blob, BlobLink, Event, Exported, Key, Manifest, OldPassword, Project,
    Pull, Repository, Robot, RobotSecret, Role, Secret, SigningKey, Subject, Tag, VaultKey,
};
use berth_catalog::restore::{self, Restored as Row};
use berth_catalog::{Catalog, Tx, event};
use berth_oci::Digest;
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};

use crate::archive::Archive;
use crate::content::{Kept, send};
use crate::erased::Erased;
use crate::error::{Error, Result};
use crate::point::{Problem, Summary, WITH_ACCESS, each_access_row};
use crate::table::Rows;
use crate::{Step, Watch};

/// Rows in one unit of work; of manifests, which may have megabytes each, fewer.
const BATCH: usize = 512;
const MANIFESTS: usize = 16;
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
    /// Rows that a restore of the same point had brought before it was interrupted.
    pub resumed: u64,
    /// Names in logs of persons who were erased after the point was taken, and so in what was restored. The trail of the point knows
    /// nothing of it: whoever restores has to record it.
    pub erased: Vec<String>,
    /// A later point that could not say who was erased since, and why.
    pub unread: Option<String>,
    /// Seconds that it took.
    pub seconds: f64,
}

/// What a row of the point and the row that it became have in common.
trait Same {
    fn common(&self) -> String;

    /// Returns a number that two rows share only if they are the same. Sums of it tell whether two sets of rows are: databases sort
    /// names differently.
    fn fingerprint(&self) -> u128 {
        let hash = Sha256::digest(self.common());
        hash.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
    }
}

macro_rules! same {
    ($($row:ty: $($field:ident)+;)+) => {
        $(impl Same for $row {
            fn common(&self) -> String {
                format!("{:?}", ($(&self.$field),+))
            }
        })+
    };
}

// Of a manifest, its lists come in no order and follow from its text; of a blob, its bytes have got a place of their own.
same! {
    Repository: name created_at;
    Blob: digest size created_at;
    BlobLink: repository digest;
    Manifest: repository digest media_type pushed_at content;
    Tag: repository name digest moved_at;
    Pull: repository reference count last_at;
    Event: position id hash;
}

macro_rules! same_whole {
    ($($row:ident)+) => {
        $(impl Same for $row {
            fn common(&self) -> String {
                serde_json::to_string(self).unwrap_or_default()
            }
        })+
    };
}
each_access_row!(same_whole);

/// A blob's row, and where its bytes are now.
struct Placed {
    row: Blob,
    /// The location, and the upload that is to be discarded once it is committed.
    place: Option<(UploadId, Location)>,
    problem: Option<String>,
}

/// Restores a point into an empty catalog and an empty store, or goes on with a restore of it that was interrupted: rows come in the
/// order in which they lie in the point, so what is there must be its first rows.
///
/// # Errors
/// [`Error::NotEmpty`] when the catalog holds something else; [`Error::Damaged`] when a file of the point is not what it was.
pub async fn restore(
    archive: &Archive,
    (name, summary): (&str, &Summary),
    catalog: &Catalog,
    blobs: &dyn Blobs,
    watch: Watch<'_>,
) -> Result<Restored> {
    let started = Instant::now();
    let mut restored = Restored::default();
    let (last_event, _) = catalog.read(async |r| event::last(r).await).await?;
    let (erased, unread) = Erased::find(archive, name).await?;
    restored.unread = unread;
    let into = Into { archive, name, summary, catalog, watch, has_events: last_event > 0, erased };
    restored.repositories = into.rows::<Repository>(BATCH, |_| None, &mut restored).await?;
    into.blobs(blobs, &mut restored).await?;
    into.rows::<BlobLink>(BATCH, |_| None, &mut restored).await?;
    let check = |manifest: &Manifest| {
        let right = Digest::of(manifest.digest.algorithm(), manifest.content.as_bytes()) == manifest.digest;
        let reason = "the bytes of this manifest do not match its digest".to_owned();
        (!right).then_some(Problem { digest: manifest.digest, reason })
    };
    restored.manifests = into.rows::<Manifest>(MANIFESTS, check, &mut restored).await?;
    restored.tags = into.rows::<Tag>(BATCH, |_| None, &mut restored).await?;
    into.rows::<Pull>(BATCH, |_| None, &mut restored).await?;
    if summary.format >= WITH_ACCESS {
        macro_rules! restore_each {
            ($($row:ident)+) => { $(into.rows::<$row>(BATCH, |_| None, &mut restored).await?;)+ };
        }
        each_access_row!(restore_each);
    }
    restored.events = into.rows::<Event>(BATCH, |_| None, &mut restored).await?;
    restored.broken_event = into.verify_events().await?;
    restored.erased = into.erased.heeded();
    restored.seconds = started.elapsed().as_secs_f64();
    Ok(restored)
}

struct Into<'a> {
    archive: &'a Archive,
    name: &'a str,
    summary: &'a Summary,
    catalog: &'a Catalog,
    watch: Watch<'a>,
    /// Events come last: a catalog that has some lacks nothing else.
    has_events: bool,
    erased: Erased,
}

impl Into<'_> {
    async fn open<T: Exported>(&self) -> Result<Rows<T>> {
        Rows::open(self.archive.shelf(), &Archive::point(self.name), &self.summary.files).await
    }

    /// Compares what the catalog holds of a table with the first rows of its file, and shows each of the catalog's.
    async fn resume<T: Exported + Same + 'static>(
        &self,
        rows: &mut Rows<T>,
        batch: usize,
        mut see: impl FnMut(T),
    ) -> Result<u64> {
        let (mut key, mut done, mut there) = (Key::default(), 0, 0_u128);
        loop {
            let page = self.catalog.read(async |r| T::page(r, &key, batch).await).await?;
            if page.is_empty() {
                break;
            }
            for (at, row) in page {
                there = there.wrapping_add(row.fingerprint());
                (key, done) = (at, done + 1);
                see(row);
            }
        }
        let (mut left, mut wanted) = (done, 0_u128);
        while left > 0 {
            let mut next = rows.next(usize::try_from(left).map_or(batch, |left| left.min(batch))).await?;
            self.erased.heed(&mut next);
            if next.is_empty() {
                return Err(Error::NotEmpty(self.name.to_owned()));
            }
            wanted = next.iter().fold(wanted, |sum, row| sum.wrapping_add(row.fingerprint()));
            left -= next.len() as u64;
        }
        if there == wanted { Ok(done) } else { Err(Error::NotEmpty(self.name.to_owned())) }
    }

    /// Takes a table in, batch by batch; returns its number of rows.
    async fn rows<T: Row + Same + Send + Sync + 'static>(
        &self,
        batch: usize,
        check: impl Fn(&T) -> Option<Problem>,
        restored: &mut Restored,
    ) -> Result<u64> {
        let mut rows = self.open::<T>().await?;
        let problems = &mut restored.problems;
        let mut done = self.resume(&mut rows, batch, |row| problems.extend(check(&row))).await?;
        restored.resumed += done;
        loop {
            let mut next = rows.next(batch).await?;
            self.erased.heed(&mut next);
            if next.is_empty() {
                return Ok(done);
            }
            self.may_insert(T::NOUN)?;
            done += next.len() as u64;
            restored.problems.extend(next.iter().filter_map(&check));
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

    fn may_insert(&self, noun: &str) -> Result<()> {
        if self.has_events && noun != Event::NOUN {
            return Err(Error::NotEmpty(self.name.to_owned()));
        }
        Ok(())
    }

    async fn blobs(&self, blobs: &dyn Blobs, restored: &mut Restored) -> Result<()> {
        let mut rows = self.open::<Blob>().await?;
        restored.resumed += self
            .resume(&mut rows, BATCH, |blob| {
                restored.blobs += 1;
                restored.bytes += blob.size;
                if blob.damaged_at.is_some() {
                    let reason = "its bytes were not whole before the interruption".to_owned();
                    restored.problems.push(Problem { digest: blob.digest, reason });
                }
            })
            .await?;
        loop {
            let next = rows.next(BATCH).await?;
            if next.is_empty() {
                return Ok(());
            }
            self.may_insert(Blob::NOUN)?;
            let copies = next.into_iter().map(|row| self.place(blobs, row));
            let mut copies = futures_util::stream::iter(copies).buffer_unordered(self.archive.copies());
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
