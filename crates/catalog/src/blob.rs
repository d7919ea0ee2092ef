//! Blobs: bytes known by digest, in their row when small, else at a location in the blob store.

use berth_oci::{Digest, RepositoryName};
use bytes::Bytes;
use futures_util::future::join;
use jiff::Timestamp;

use crate::driver::{Reader, Row, params};
use crate::error::{Error, Result};
use crate::repository::Repository;
use crate::tx::Tx;
use crate::{imported, link, repository, trash};

/// A blob's row id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobId(pub(crate) i64);

/// Where a blob's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// In the row.
    Inline(Bytes),
    /// In the blob store, at this location.
    Stored(String),
}

/// A healthy blob as a repository sees it.
#[derive(Debug, Clone)]
pub struct Blob {
    /// Row id.
    pub id: BlobId,
    /// Size in bytes.
    pub size: u64,
    /// Where the bytes are.
    pub placement: Placement,
    /// Since when its link waits for review, if it does.
    pub questioned_at: Option<Timestamp>,
}

/// A blob's row as the scrub reads it.
#[derive(Debug, Clone)]
pub struct ScrubItem {
    /// Row id; the scrub goes in its order.
    pub id: BlobId,
    /// Digest that the bytes must have.
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    /// Where the bytes are.
    pub placement: Placement,
    /// Whether it is already known to be damaged.
    pub damaged: bool,
}

/// What became of the bytes offered to [`insert`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// The row now points at the offered bytes.
    Used,
    /// The catalog had the blob already: the offered bytes are not needed.
    Known,
    /// The blob is not (or no longer) there, or damaged, and nothing was offered but the place where it is damaged: publish the bytes
    /// and ask again.
    Missing,
}

fn placement(row: &Row<'_>, content: usize, location: usize) -> Result<Placement> {
    if let Some(content) = row.bytes_opt(content)? {
        return Ok(Placement::Inline(Bytes::copy_from_slice(content)));
    }
    Ok(Placement::Stored(row.text(location)?.to_owned()))
}

/// Finds a healthy blob through the repository that links it.
pub async fn find(r: &Reader, repository: &RepositoryName, digest: &Digest) -> Result<Option<Blob>> {
    r.query_opt(
        "SELECT b.id, b.size, b.content, b.location, l.questioned_at
           FROM repository AS r
           JOIN link AS l ON l.repository_id = r.id
           JOIN blob AS b ON b.id = l.blob_id
          WHERE r.name = $1 AND b.digest = $2 AND b.damaged_at IS NULL",
        params![repository.as_str(), &digest.to_string()],
        |row| {
            Ok(Blob {
                id: BlobId(row.int(0)?),
                size: row.size(1)?,
                placement: placement(row, 2, 3)?,
                questioned_at: row.time_opt(4)?,
            })
        },
    )
    .await
}

/// Finds id, size and placement of a healthy blob wherever it is linked; never an answer for a client.
pub async fn find_anywhere(r: &Reader, digest: &Digest) -> Result<Option<(BlobId, u64, Placement)>> {
    r.query_opt(
        "SELECT id, size, content, location FROM blob WHERE digest = $1 AND damaged_at IS NULL",
        params![&digest.to_string()],
        |row| Ok((BlobId(row.int(0)?), row.size(1)?, placement(row, 2, 3)?)),
    )
    .await
}

/// Makes the blob known and linked to `repository`, reviving it if it was condemned and healing it if it was damaged.
///
/// `offered` is where the caller has put the bytes, `None` when it believes them to be known.
pub async fn insert(
    tx: &mut Tx,
    repository: &Repository,
    digest: &Digest,
    size: u64,
    offered: Option<&Placement>,
    now: Timestamp,
) -> Result<Inserted> {
    let new = insert_row(tx, digest, size, offered, now).await?;
    insert_link(tx, repository, new, digest, size, offered, now).await
}

/// Does the same in a repository that may not be there yet: then `found` makes it, or refuses.
pub async fn push<E: From<Error>>(
    tx: &mut Tx,
    name: &RepositoryName,
    found: impl AsyncFnOnce(&mut Tx) -> Result<Repository, E>,
    digest: &Digest,
    size: u64,
    offered: Option<&Placement>,
    now: Timestamp,
) -> Result<Inserted, E> {
    // Neither statement asks for the other's answer, so both are on their way at the same time.
    let (known, new) = join(repository::find(tx, name), insert_row(tx, digest, size, offered, now)).await;
    let (known, new) = (known?, new?);
    let repository = match known {
        Some(known) => known,
        None => found(tx).await?,
    };
    Ok(insert_link(tx, &repository, new, digest, size, offered, now).await?)
}

/// Links the blob: the new one, or the one that is there.
async fn insert_link(
    tx: &mut Tx,
    repository: &Repository,
    new: Option<BlobId>,
    digest: &Digest,
    size: u64,
    offered: Option<&Placement>,
    now: Timestamp,
) -> Result<Inserted> {
    let (id, inserted) = match new {
        Some(id) => {
            tx.count_blobs(1, size);
            (id, Inserted::Used)
        }
        None => match reuse(tx, &digest.to_string(), size, offered, now).await? {
            Some(reused) => reused,
            None => return Ok(Inserted::Missing),
        },
    };
    link::question(tx, repository, id, now).await?;
    Ok(inserted)
}

/// Inserts a blob; `None` if it is there already, or nothing is offered. Without a look first: among few blobs, looking would make
/// every two pushes of one moment meet on Postgres.
async fn insert_row(
    tx: &Tx,
    digest: &Digest,
    size: u64,
    offered: Option<&Placement>,
    now: Timestamp,
) -> Result<Option<BlobId>> {
    let Some(placement) = offered else { return Ok(None) };
    let (content, location) = columns(placement);
    tx.query_opt(
        "INSERT INTO blob (digest, size, location, created_at, content) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (digest) DO NOTHING RETURNING id",
        params![&digest.to_string(), size, location, now, content],
        |row| row.int(0).map(BlobId),
    )
    .await
}

/// Makes use of the blob that is there: revives it, or heals it with what is offered. `None` if that can't be.
///
/// Nobody has looked at the bytes of an import's place, so the place where a blob is damaged does not heal it. It is linked all the
/// same: whoever brings other bytes, or finds these right again, does that for every repository.
async fn reuse(
    tx: &mut Tx,
    digest: &str,
    size: u64,
    offered: Option<&Placement>,
    now: Timestamp,
) -> Result<Option<(BlobId, Inserted)>> {
    let known = tx
        .query_opt("SELECT id, damaged_at, location FROM blob WHERE digest = $1", params![digest], |row| {
            let location = row.text_opt(2)?.map(ToOwned::to_owned);
            Ok((BlobId(row.int(0)?), row.int_opt(1)?.is_some(), location))
        })
        .await?;
    match (known, offered) {
        (Some((id, false, _)), _) => {
            revive(tx, id).await?;
            Ok(Some((id, Inserted::Known)))
        }
        (Some((id, true, Some(damaged))), Some(Placement::Stored(location)))
            if damaged == *location && imported::is_foreign(location) =>
        {
            revive(tx, id).await?;
            Ok(Some((id, Inserted::Missing)))
        }
        (Some((id, true, _)), Some(placement)) => {
            heal(tx, id, size, placement, now).await?;
            Ok(Some((id, Inserted::Used)))
        }
        _ => Ok(None),
    }
}

async fn revive(tx: &mut Tx, id: BlobId) -> Result<()> {
    tx.post("UPDATE blob SET condemned_at = NULL WHERE id = $1 AND condemned_at IS NOT NULL", params![id.0])
        .await
}

async fn heal(tx: &mut Tx, id: BlobId, size: u64, placement: &Placement, now: Timestamp) -> Result<()> {
    trash::discard_location(tx, id, now).await?;
    let (content, location) = columns(placement);
    tx.post(
        "UPDATE blob SET size = $1, content = $2, location = $3, condemned_at = NULL, damaged_at = NULL WHERE id = $4",
        params![size, content, location, id.0],
    )
    .await?;
    tx.withdraw_all();
    Ok(())
}

fn columns(placement: &Placement) -> (Option<&[u8]>, Option<&str>) {
    match placement {
        Placement::Inline(content) => (Some(content), None),
        Placement::Stored(location) => (None, Some(location)),
    }
}

/// Marks a blob as damaged: from now on nobody is served it. Returns false, and marks nothing, unless the row still has this
/// placement and no mark: the blob may have been healed or collected since its bytes were read, its id been given out again.
pub async fn mark_damaged(
    tx: &mut Tx,
    id: BlobId,
    digest: &Digest,
    placement: &Placement,
    now: Timestamp,
) -> Result<bool> {
    let (content, location) = columns(placement);
    let changed = tx
        .execute(
            "UPDATE blob SET damaged_at = $1
              WHERE id = $2 AND digest = $3 AND damaged_at IS NULL
                AND location IS NOT DISTINCT FROM $4 AND content IS NOT DISTINCT FROM $5",
            params![now, id.0, &digest.to_string(), location, content],
        )
        .await?;
    if changed > 0 {
        tx.withdraw_all();
    }
    Ok(changed > 0)
}

/// Clears a damage mark after the bytes at this placement were found right again (a disk that came back). Returns false
/// unless the row still has that placement and a mark.
pub async fn clear_damaged(tx: &mut Tx, id: BlobId, digest: &Digest, placement: &Placement) -> Result<bool> {
    let (content, location) = columns(placement);
    let changed = tx
        .execute(
            "UPDATE blob SET damaged_at = NULL
              WHERE id = $1 AND digest = $2 AND damaged_at IS NOT NULL
                AND location IS NOT DISTINCT FROM $3 AND content IS NOT DISTINCT FROM $4",
            params![id.0, &digest.to_string(), location, content],
        )
        .await?;
    if changed > 0 {
        tx.withdraw_all();
    }
    Ok(changed > 0)
}

/// Lists the locations that rows point at, behind `after` (empty for the start) in their order, with the rows' sizes.
pub async fn list_stored(r: &Reader, after: &str, limit: usize) -> Result<Vec<(String, u64)>> {
    r.query(
        "SELECT location, size FROM blob WHERE location > $1 ORDER BY location LIMIT $2",
        params![after, limit],
        |row| Ok((row.text(0)?.to_owned(), row.size(1)?)),
    )
    .await
}

/// Lists blobs in id order after `after` (0 for the start), for the scrub.
pub async fn list(r: &Reader, after: i64, limit: usize) -> Result<Vec<ScrubItem>> {
    r.query(
        "SELECT id, digest, size, content, location, damaged_at FROM blob WHERE id > $1 ORDER BY id LIMIT $2",
        params![after, limit],
        |row| {
            Ok(ScrubItem {
                id: BlobId(row.int(0)?),
                digest: row.digest(1)?,
                size: row.size(2)?,
                placement: placement(row, 3, 4)?,
                damaged: row.int_opt(5)?.is_some(),
            })
        },
    )
    .await
}

/// Tells whether a blob's row points at this location.
pub async fn is_at(r: &Reader, location: &str) -> Result<bool> {
    let found = r.query_opt("SELECT 1 FROM blob WHERE location = $1", params![location], |_| Ok(())).await?;
    Ok(found.is_some())
}

/// Number, total size and damage of all blobs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// Blobs known.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs known to be damaged.
    pub damaged: u64,
    /// Blobs that wait to be collected.
    pub condemned: u64,
}

/// Reads the totals: kept with each change, and counted where few rows can match.
pub async fn totals(r: &Reader) -> Result<Totals> {
    let totals = r
        .query_opt(
            "SELECT COALESCE((SELECT value FROM ledger WHERE name = 'blobs'), 0),
                    COALESCE((SELECT value FROM ledger WHERE name = 'blob_bytes'), 0),
                    (SELECT COUNT(*) FROM blob WHERE damaged_at IS NOT NULL),
                    (SELECT COUNT(*) FROM blob WHERE condemned_at IS NOT NULL)",
            params![],
            |row| {
                Ok(Totals {
                    blobs: row.size(0)?,
                    bytes: row.size(1)?,
                    damaged: row.size(2)?,
                    condemned: row.size(3)?,
                })
            },
        )
        .await?;
    Ok(totals.unwrap_or_default())
}

impl BlobId {
    /// Returns the row id as a number, for a cursor.
    pub fn cursor(self) -> i64 {
        self.0
    }
}
