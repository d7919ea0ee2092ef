//! Takes a backup: the catalog's rows at one moment, then the bytes they name that no earlier point brought.

use std::collections::HashMap;
use std::time::Instant;

use berth_blobs::{Blobs, Location, Shelf};
use berth_catalog::export::{
    Account, AppPassword, Binding, Blob, BlobLink, Event, Manifest, OldPassword, Project, Pull, Repository,
    Robot, RobotSecret, Role, Secret, SigningKey, Subject, Tag, VaultKey,
};
use berth_catalog::{Catalog, Reader};
use berth_oci::Digest;
use futures_util::StreamExt as _;
use jiff::Timestamp;

use crate::archive::Archive;
use crate::content::{Kept, bring};
use crate::error::{Error, Result};
use crate::hold::Hold;
use crate::point::{FORMAT, Problem, Summary, TableFile, each_access_row};
use crate::trail::{self, Audited, KeptTrail};
use crate::{Step, Watch, table};

/// Rows read at a time; of manifests, which may have megabytes each, fewer.
const PAGE: usize = 512;
const MANIFESTS: usize = 16;
/// Times that a backup begins anew because its hold on collection was lost.
const TRIES: usize = 3;

/// What lies in the store, by digest: size, place, and whether it is known to be damaged.
type Stored = HashMap<Digest, (u64, String, bool)>;

/// What the rows say.
struct Rows {
    files: Vec<TableFile>,
    blobs: u64,
    blob_bytes: u64,
    damaged: Vec<Problem>,
    stored: Stored,
    event: (i64, String),
}

/// What copying brought.
#[derive(Default)]
struct Copied {
    files: u64,
    bytes: u64,
    damaged: Vec<Problem>,
}

/// A point but for its last word.
struct Brought {
    name: String,
    taken_at: Timestamp,
    rows: Rows,
    copied: Copied,
    trail: Option<KeptTrail>,
}

/// Adds a point to the archive, beside whoever serves catalog and store. `collector` is the kind of job that frees bytes.
///
/// Damaged blobs end nothing: they are listed in the summary.
pub async fn take(
    archive: &Archive,
    catalog: &Catalog,
    blobs: &dyn Blobs,
    audited: Option<Audited<'_>>,
    collector: &'static str,
    watch: Watch<'_>,
) -> Result<(String, Summary)> {
    for _ in 0..TRIES {
        let hold = Hold::acquire(catalog, collector, watch).await?;
        let started = Instant::now();
        let point = bring_point(archive, catalog, blobs, audited, watch).await;
        let is_held = hold.release().await;
        let Brought { name, taken_at, rows, copied, trail } = point?;
        if !is_held? {
            archive.remove_point(&name).await?;
            continue;
        }
        let mut damaged = rows.damaged;
        damaged.extend(copied.damaged);
        let summary = Summary {
            format: FORMAT,
            berth: env!("CARGO_PKG_VERSION").to_owned(),
            taken_at,
            seconds: started.elapsed().as_secs_f64(),
            files: rows.files,
            blobs: rows.blobs,
            blob_bytes: rows.blob_bytes,
            copied: copied.files,
            copied_bytes: copied.bytes,
            event_position: rows.event.0,
            event_hash: rows.event.1,
            damaged,
            trail: trail.map(Box::new),
        };
        archive.seal(&name, &summary).await?;
        return Ok((name, summary));
    }
    Err(Error::HoldLost)
}

/// Brings everything of a point but its last word.
async fn bring_point(
    archive: &Archive,
    catalog: &Catalog,
    blobs: &dyn Blobs,
    audited: Option<Audited<'_>>,
    watch: Watch<'_>,
) -> Result<Brought> {
    let (name, taken_at) = archive.new_point(catalog.clock().now()).await?;
    // Before the rows: what the trail copied from the event log is then in the log, and whom it names among the persons.
    let trail = match audited {
        Some(audited) => Some(trail::take(archive, &Archive::point(&name), audited, watch).await?),
        None => None,
    };
    let rows = export(catalog, (archive.shelf(), &Archive::point(&name)), watch).await?;
    let copied = copy(archive, blobs, &rows.stored, watch).await?;
    Ok(Brought { name, taken_at, rows, copied, trail })
}

/// A folder on a shelf.
type Folder<'a> = (&'a Shelf, &'a str);

async fn export(catalog: &Catalog, folder: Folder<'_>, watch: Watch<'_>) -> Result<Rows> {
    catalog.snapshot(async |r| write_rows(r, folder, watch).await).await
}

async fn write_rows(r: &Reader, folder: Folder<'_>, watch: Watch<'_>) -> Result<Rows> {
    let total = berth_catalog::blob::totals(r).await?.blobs;
    let mut rows = Rows {
        files: vec![table::write::<Repository>(r, folder, PAGE, |_| ()).await?],
        blobs: 0,
        blob_bytes: 0,
        damaged: Vec::new(),
        stored: Stored::new(),
        event: (0, hex::encode([0; 32])),
    };
    let file = table::write::<Blob>(r, folder, PAGE, |blob| {
        rows.blobs += 1;
        rows.blob_bytes += blob.size;
        watch(Step { phase: "catalog", done: rows.blobs, total });
        if let Some(location) = blob.location {
            rows.stored.insert(blob.digest, (blob.size, location, blob.damaged_at.is_some()));
        } else if let Some(content) = blob.content
            && Digest::of(blob.digest.algorithm(), &content) != blob.digest
        {
            let reason = "its bytes do not match its digest".to_owned();
            rows.damaged.push(Problem { digest: blob.digest, reason });
        }
    })
    .await?;
    rows.files.push(file);
    rows.files.push(table::write::<BlobLink>(r, folder, PAGE, |_| ()).await?);
    let file = table::write::<Manifest>(r, folder, MANIFESTS, |manifest| {
        if Digest::of(manifest.digest.algorithm(), manifest.content.as_bytes()) != manifest.digest {
            let reason = "the bytes of this manifest do not match its digest".to_owned();
            rows.damaged.push(Problem { digest: manifest.digest, reason });
        }
    })
    .await?;
    rows.files.push(file);
    rows.files.push(table::write::<Tag>(r, folder, PAGE, |_| ()).await?);
    rows.files.push(table::write::<Pull>(r, folder, PAGE, |_| ()).await?);
    macro_rules! write_each {
        ($($row:ident)+) => { $(rows.files.push(table::write::<$row>(r, folder, PAGE, |_| ()).await?);)+ };
    }
    each_access_row!(write_each);
    let file =
        table::write::<Event>(r, folder, PAGE, |event| rows.event = (event.position, event.hash)).await?;
    rows.files.push(file);
    Ok(rows)
}

/// Copies what is lacking. Bytes that an earlier point brought whole stand in for bytes that are damaged now.
async fn copy(archive: &Archive, blobs: &dyn Blobs, stored: &Stored, watch: Watch<'_>) -> Result<Copied> {
    let mut copied = Copied::default();
    let there = archive.blobs().await?;
    let mut lacking = Vec::new();
    for (digest, (size, location, damaged)) in stored {
        if there.get(digest) == Some(size) {
            continue;
        }
        if *damaged {
            let reason = "it was known to be damaged".to_owned();
            copied.damaged.push(Problem { digest: *digest, reason });
        } else {
            lacking.push((*digest, *size, Location::from(location.as_str())));
        }
    }
    let total = lacking.iter().map(|(_, size, _)| size).sum();
    let under_way = lacking.into_iter().map(async |(digest, size, location)| {
        let kept = bring(archive, blobs, &location, &digest, size).await?;
        Ok::<_, Error>((digest, size, kept))
    });
    let mut under_way = futures_util::stream::iter(under_way).buffer_unordered(archive.copies());
    let mut done = 0;
    while let Some(ended) = under_way.next().await {
        let (digest, size, kept) = ended?;
        archive.check_lock()?;
        done += size;
        watch(Step { phase: "bytes", done, total });
        match kept {
            Kept::Whole(()) => {
                copied.files += 1;
                copied.bytes += size;
            }
            Kept::Damaged(reason) => copied.damaged.push(Problem { digest, reason }),
        }
    }
    Ok(copied)
}
