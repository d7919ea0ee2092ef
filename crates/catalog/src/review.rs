//! What the collector asks: what waits for review, whether anything still needs it, and the re-check before it goes.

use berth_oci::Digest;
use jiff::Timestamp;

use crate::blob::BlobId;
use crate::driver::{Reader, params};
use crate::error::Result;
use crate::manifest::ManifestId;
use crate::repository::Repository;
use crate::tx::Tx;
use crate::{link, manifest, trash};

/// A link that waits for review.
#[derive(Debug, Clone)]
pub struct QuestionedLink {
    /// Where.
    pub repository: Repository,
    /// Blob linked.
    pub blob: BlobId,
    /// Digest of the blob.
    pub digest: Digest,
    /// Size of the blob in bytes.
    pub size: u64,
    /// Since when it waits.
    pub since: Timestamp,
}

/// A manifest that waits for review.
#[derive(Debug, Clone)]
pub struct QuestionedManifest {
    /// Row id.
    pub id: ManifestId,
    /// Where.
    pub repository: Repository,
    /// Digest of the manifest.
    pub digest: Digest,
    /// Since when it waits.
    pub since: Timestamp,
}

/// Lists links questioned before `before`, oldest first, behind `after` if one is given.
pub async fn list_links(
    r: &Reader,
    before: Timestamp,
    after: Option<&QuestionedLink>,
    limit: usize,
) -> Result<Vec<QuestionedLink>> {
    let (since, repository, blob) =
        after.map_or((0, 0, 0), |item| (item.since.as_microsecond(), item.repository.id, item.blob.0));
    r.query(
        "SELECT l.repository_id, r.name, l.blob_id, b.digest, b.size,
                l.questioned_at
           FROM link AS l
           JOIN repository AS r ON r.id = l.repository_id
           JOIN blob AS b ON b.id = l.blob_id
          WHERE l.questioned_at < $1 AND (l.questioned_at, l.repository_id, l.blob_id) > ($2, $3, $4)
          ORDER BY l.questioned_at, l.repository_id, l.blob_id LIMIT $5",
        params![before, since, repository, blob, limit],
        |row| {
            Ok(QuestionedLink {
                repository: Repository { id: row.int(0)?, name: row.parse(1, "repository name")? },
                blob: BlobId(row.int(2)?),
                digest: row.digest(3)?,
                size: row.size(4)?,
                since: row.time(5)?,
            })
        },
    )
    .await
}

/// Counts the repositories that link a blob.
pub async fn count_links(r: &Reader, blob: BlobId) -> Result<u64> {
    Ok(r.query_opt("SELECT COUNT(*) FROM link WHERE blob_id = $1", params![blob.0], |row| row.size(0))
        .await?
        .unwrap_or(0))
}

/// Decides one link: drops it if it is still questioned since before `before` and no manifest names the blob, else keeps it.
/// Returns whether it was dropped.
pub async fn decide_link(tx: &mut Tx, item: &QuestionedLink, before: Timestamp) -> Result<bool> {
    let questioned = tx
        .query_opt(
            "SELECT questioned_at FROM link WHERE repository_id = $1 AND blob_id = $2 AND questioned_at < $3",
            params![item.repository.id, item.blob.0, before],
            |row| row.time(0),
        )
        .await?;
    let Some(since) = questioned else { return Ok(false) };
    if link::is_needed(tx, &item.repository, item.blob).await? {
        link::keep(tx, &item.repository, item.blob).await?;
        return Ok(false);
    }
    link::delete(tx, &item.repository, item.blob, since).await
}

/// Lists manifests questioned before `before`, oldest first, behind `after` if one is given.
pub async fn list_manifests(
    r: &Reader,
    before: Timestamp,
    after: Option<&QuestionedManifest>,
    limit: usize,
) -> Result<Vec<QuestionedManifest>> {
    let (since, id) = after.map_or((0, 0), |item| (item.since.as_microsecond(), item.id.0));
    r.query(
        "SELECT m.id, m.repository_id, r.name, m.digest, m.questioned_at
           FROM manifest AS m JOIN repository AS r ON r.id = m.repository_id
          WHERE m.questioned_at < $1 AND (m.questioned_at, m.id) > ($2, $3)
          ORDER BY m.questioned_at, m.id LIMIT $4",
        params![before, since, id, limit],
        |row| {
            Ok(QuestionedManifest {
                id: ManifestId(row.int(0)?),
                repository: Repository { id: row.int(1)?, name: row.parse(2, "repository name")? },
                digest: row.digest(3)?,
                since: row.time(4)?,
            })
        },
    )
    .await
}

/// Tells whether something needs a manifest: a tag, an index that lists it, or a subject that it refers to and that is there.
pub async fn is_manifest_needed(r: &Reader, item: &QuestionedManifest) -> Result<bool> {
    let found = r
        .query_opt(
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM tag WHERE manifest_id = $1)
                OR EXISTS (SELECT 1 FROM manifest_child WHERE repository_id = $2 AND digest = $3)
                OR EXISTS (SELECT 1 FROM manifest AS m JOIN manifest AS s
                              ON s.repository_id = m.repository_id AND s.digest = m.subject
                            WHERE m.id = $1)",
            params![item.id.0, item.repository.id, &item.digest.to_string()],
            |_| Ok(()),
        )
        .await?;
    Ok(found.is_some())
}

/// Decides one manifest: deletes it if it is still questioned since before `before` and nothing needs it, else clears the mark.
/// Returns whether it was deleted.
pub async fn decide_manifest(
    tx: &mut Tx,
    item: &QuestionedManifest,
    before: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    let due = tx
        .query_opt(
            "SELECT 1 FROM manifest
              WHERE id = $1 AND questioned_at < $2 AND repository_id = $3 AND digest = $4",
            params![item.id.0, before, item.repository.id, &item.digest.to_string()],
            |_| Ok(()),
        )
        .await?;
    if due.is_none() {
        return Ok(false);
    }
    if is_manifest_needed(tx, item).await? {
        tx.post("UPDATE manifest SET questioned_at = NULL WHERE id = $1", params![item.id.0]).await?;
        return Ok(false);
    }
    manifest::delete(tx, &item.repository, item.id, now).await?;
    Ok(true)
}

/// A blob that no repository links.
#[derive(Debug, Clone)]
pub struct Condemned {
    /// Row id.
    pub blob: BlobId,
    /// Digest.
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
}

/// Lists blobs condemned before `before`, oldest first.
pub async fn list_condemned(r: &Reader, before: Timestamp, limit: usize) -> Result<Vec<Condemned>> {
    r.query(
        "SELECT id, digest, size FROM blob WHERE condemned_at < $1 ORDER BY condemned_at LIMIT $2",
        params![before, limit],
        |row| Ok(Condemned { blob: BlobId(row.int(0)?), digest: row.digest(1)?, size: row.size(2)? }),
    )
    .await
}

/// Decides one condemned blob: deletes its row (and trashes its location) if it is still condemned and unlinked.
/// Returns whether it went.
pub async fn decide_blob(tx: &mut Tx, item: &Condemned, before: Timestamp, now: Timestamp) -> Result<bool> {
    let due = tx
        .query_opt(
            "SELECT 1 FROM blob
              WHERE id = $1 AND condemned_at < $2 AND digest = $3
                AND NOT EXISTS (SELECT 1 FROM link WHERE blob_id = $1)",
            params![item.blob.0, before, &item.digest.to_string()],
            |_| Ok(()),
        )
        .await?;
    if due.is_none() {
        return Ok(false);
    }
    trash::discard_location(tx, item.blob, now).await?;
    tx.post("DELETE FROM blob WHERE id = $1", params![item.blob.0]).await?;
    tx.count_blobs(-1, item.size);
    Ok(true)
}

/// How much waits for review.
#[derive(Debug, Clone, Copy, Default)]
pub struct Backlog {
    /// Links under review.
    pub links: u64,
    /// Manifests under review.
    pub manifests: u64,
    /// Condemned blobs.
    pub blobs: u64,
}

/// Counts what was questioned or condemned before `before`.
pub async fn backlog(r: &Reader, before: Timestamp) -> Result<Backlog> {
    let found = r
        .query_opt(
            "SELECT (SELECT COUNT(*) FROM link WHERE questioned_at < $1),
                    (SELECT COUNT(*) FROM manifest WHERE questioned_at < $1),
                    (SELECT COUNT(*) FROM blob WHERE condemned_at < $1)",
            params![before],
            |row| Ok(Backlog { links: row.size(0)?, manifests: row.size(1)?, blobs: row.size(2)? }),
        )
        .await?;
    Ok(found.unwrap_or_default())
}

/// A manifest as `gc --verify` reads it.
#[derive(Debug, Clone)]
pub struct Audited {
    /// Row id; the audit goes in its order.
    pub id: ManifestId,
    /// Where.
    pub repository: Repository,
    /// Digest of the manifest.
    pub digest: Digest,
    /// Media type it was pushed with.
    pub media_type: String,
    /// Bytes as pushed.
    pub content: Vec<u8>,
}

/// Lists every manifest in id order after `after`.
pub async fn list_all(r: &Reader, after: i64, limit: usize) -> Result<Vec<Audited>> {
    r.query(
        "SELECT m.id, m.repository_id, r.name, m.digest, m.media_type, m.content
           FROM manifest AS m JOIN repository AS r ON r.id = m.repository_id
          WHERE m.id > $1 ORDER BY m.id LIMIT $2",
        params![after, limit],
        |row| {
            Ok(Audited {
                id: ManifestId(row.int(0)?),
                repository: Repository { id: row.int(1)?, name: row.parse(2, "repository name")? },
                digest: row.digest(3)?,
                media_type: row.text(4)?.to_owned(),
                content: row.bytes(5)?.to_vec(),
            })
        },
    )
    .await
}

impl ManifestId {
    /// Returns the row id as a number, for a cursor.
    pub fn cursor(self) -> i64 {
        self.0
    }
}

/// Number and bytes of the blobs condemned before `before`.
pub async fn condemned_totals(r: &Reader, before: Timestamp) -> Result<(u64, u64)> {
    let found = r
        .query_opt(
            "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM blob WHERE condemned_at < $1",
            params![before],
            |row| Ok((row.size(0)?, row.size(1)?)),
        )
        .await?;
    Ok(found.unwrap_or_default())
}
