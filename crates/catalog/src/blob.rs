//! Blobs: bytes known by digest, in their row when small, else at a location in the blob store.

use berth_oci::{Digest, RepositoryName};
use bytes::Bytes;
use jiff::Timestamp;

use crate::driver::{Reader, Row, params};
use crate::error::{Error, Result};
use crate::repository::Repository;
use crate::tx::Tx;
use crate::{link, trash};

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
    /// The blob is not (or no longer) there and nothing was offered: publish the bytes and ask again.
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

/// Tells whether a healthy blob with this digest exists anywhere; never an answer for a client.
pub async fn exists(r: &Reader, digest: &Digest) -> Result<bool> {
    let found = r
        .query_opt(
            "SELECT 1 FROM blob WHERE digest = $1 AND damaged_at IS NULL",
            params![&digest.to_string()],
            |_| Ok(()),
        )
        .await?;
    Ok(found.is_some())
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
    let text = digest.to_string();
    let known = tx
        .query_opt("SELECT id, damaged_at FROM blob WHERE digest = $1", params![&text], |row| {
            Ok((BlobId(row.int(0)?), row.int_opt(1)?.is_some()))
        })
        .await?;
    let (id, inserted) = match (known, offered) {
        (Some((id, false)), _) => {
            tx.execute(
                "UPDATE blob SET condemned_at = NULL WHERE id = $1 AND condemned_at IS NOT NULL",
                params![id.0],
            )
            .await?;
            (id, Inserted::Known)
        }
        (_, None) => return Ok(Inserted::Missing),
        (Some((id, true)), Some(placement)) => {
            heal(tx, id, size, placement, now).await?;
            (id, Inserted::Used)
        }
        (None, Some(placement)) => (insert_row(tx, &text, size, placement, now).await?, Inserted::Used),
    };
    link::question(tx, repository, id, now).await?;
    Ok(inserted)
}

async fn insert_row(
    tx: &mut Tx,
    digest: &str,
    size: u64,
    placement: &Placement,
    now: Timestamp,
) -> Result<BlobId> {
    let (content, location) = columns(placement);
    tx.query_opt(
        "INSERT INTO blob (digest, size, content, location, created_at) VALUES ($1, $2, $3, $4, $5) RETURNING id",
        params![digest, size, content, location, now],
        |row| row.int(0).map(BlobId),
    )
    .await?
    .ok_or(Error::Invalid { what: "blob", value: digest.to_owned() })
}

async fn heal(tx: &mut Tx, id: BlobId, size: u64, placement: &Placement, now: Timestamp) -> Result<()> {
    trash::discard_location(tx, id, now).await?;
    let (content, location) = columns(placement);
    tx.execute(
        "UPDATE blob SET size = $1, content = $2, location = $3, condemned_at = NULL, damaged_at = NULL WHERE id = $4",
        params![size, content, location, id.0],
    )
    .await?;
    tx.touch_all();
    Ok(())
}

fn columns(placement: &Placement) -> (Option<&[u8]>, Option<&str>) {
    match placement {
        Placement::Inline(content) => (Some(content), None),
        Placement::Stored(location) => (None, Some(location)),
    }
}

/// Marks a blob as damaged: from now on nobody is served it. Returns whether the row still had that placement.
pub async fn condemn_damaged(tx: &mut Tx, id: BlobId, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute("UPDATE blob SET damaged_at = $1 WHERE id = $2 AND damaged_at IS NULL", params![now, id.0])
        .await?;
    tx.touch_all();
    Ok(changed > 0)
}

/// Clears a damage mark after the bytes were found right again (a disk that came back).
pub async fn clear_damaged(tx: &mut Tx, id: BlobId) -> Result<()> {
    tx.execute("UPDATE blob SET damaged_at = NULL WHERE id = $1", params![id.0]).await?;
    tx.touch_all();
    Ok(())
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

/// Adds up all blobs; reads the whole table's index, so only now and then.
pub async fn totals(r: &Reader) -> Result<Totals> {
    let totals = r
        .query_opt(
            "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS INTEGER), COUNT(damaged_at), COUNT(condemned_at) FROM blob",
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
