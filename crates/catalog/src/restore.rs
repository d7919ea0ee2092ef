//! Takes in the rows that [`export`](crate::export) made, into a catalog that holds nothing: repositories first, then blobs, links,
//! manifests, tags, pulls and events.

use crate::driver::{Reader, params};
use crate::error::{Error, Result};
use crate::export::{BlobLink, Event, Exported, Manifest, Pull, Repository, Tag};
use crate::tx::Tx;

use berth_oci::Digest;

/// A row that can be taken in as it is; a blob's can't, see [`insert_blob`].
pub trait Restored: Exported {
    /// Inserts the row.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a row that it names is not there.
    fn restore(&self, tx: &mut Tx) -> impl Future<Output = Result<()>>;
}

/// Where a restored blob's bytes are.
#[derive(Debug, Clone, Copy)]
pub enum Bytes<'a> {
    /// In the row.
    Inline(&'a [u8]),
    /// In the blob store, at this location.
    Stored(&'a str),
    /// Nowhere, known since this time in microseconds: the blob is damaged, and heals when it is pushed again.
    Lost(i64),
}

/// Tells whether a catalog holds nothing yet.
pub async fn is_empty(r: &Reader) -> Result<bool> {
    for sql in
        ["SELECT 1 FROM repository LIMIT 1", "SELECT 1 FROM blob LIMIT 1", "SELECT 1 FROM event LIMIT 1"]
    {
        if r.query_opt(sql, params![], |_| Ok(())).await?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Inserts a blob's row, whose bytes have got a place of their own.
pub async fn insert_blob(
    tx: &mut Tx,
    digest: &Digest,
    size: u64,
    created_at: i64,
    bytes: Bytes<'_>,
) -> Result<()> {
    let (content, location, damaged_at) = match bytes {
        Bytes::Inline(content) => (Some(content), None, None),
        Bytes::Stored(location) => (None, Some(location), None),
        Bytes::Lost(since) => (Some(&[][..]), None, Some(since)),
    };
    tx.count_blobs(1, size);
    tx.execute(
        "INSERT INTO blob (digest, size, location, created_at, damaged_at, content) VALUES ($1, $2, $3, $4, $5, $6)",
        params![&digest.to_string(), size, location, created_at, damaged_at, content],
    )
    .await?;
    Ok(())
}

/// One row must have come of it: what it names was there.
fn one(inserted: u64, what: &'static str, value: &impl ToString) -> Result<()> {
    if inserted == 1 { Ok(()) } else { Err(Error::Invalid { what, value: value.to_string() }) }
}

impl Restored for Repository {
    async fn restore(&self, tx: &mut Tx) -> Result<()> {
        let sql = "INSERT INTO repository (name, created_at) VALUES ($1, $2)";
        one(tx.execute(sql, params![&self.name, self.created_at]).await?, "repository", &self.name)
    }
}

impl Restored for BlobLink {
    async fn restore(&self, tx: &mut Tx) -> Result<()> {
        let inserted = tx
            .execute(
                "INSERT INTO link (repository_id, blob_id, questioned_at)
                 SELECT r.id, b.id, $1 FROM repository AS r CROSS JOIN blob AS b WHERE r.name = $2 AND b.digest = $3",
                params![self.questioned_at, &self.repository, &self.digest.to_string()],
            )
            .await?;
        one(inserted, "link", &self.digest)
    }
}

impl Restored for Manifest {
    async fn restore(&self, tx: &mut Tx) -> Result<()> {
        let id = tx
            .query_opt(
                "INSERT INTO manifest (repository_id, digest, media_type, subject, artifact_type, depth, pushed_at,
                                       questioned_at, descriptor, content)
                 SELECT id, $1, $2, $3, $4, $5, $6, $7, $8, $9 FROM repository WHERE name = $10 RETURNING id",
                params![
                    &self.digest.to_string(),
                    &self.media_type,
                    self.subject.as_deref(),
                    self.artifact_type.as_deref(),
                    self.depth,
                    self.pushed_at,
                    self.questioned_at,
                    self.descriptor.as_deref(),
                    self.content.as_bytes(),
                    &self.repository,
                ],
                |row| row.int(0),
            )
            .await?
            .ok_or_else(|| Error::Invalid { what: "manifest", value: self.digest.to_string() })?;
        for blob in &self.blobs {
            let inserted = tx
                .execute(
                    "INSERT INTO manifest_blob (repository_id, blob_id, manifest_id)
                     SELECT m.repository_id, b.id, m.id FROM manifest AS m CROSS JOIN blob AS b
                      WHERE m.id = $1 AND b.digest = $2",
                    params![id, &blob.to_string()],
                )
                .await?;
            one(inserted, "manifest's blob", blob)?;
        }
        for blob in &self.missing {
            tx.execute(
                "INSERT INTO manifest_missing (repository_id, digest, manifest_id)
                 SELECT repository_id, $1, id FROM manifest WHERE id = $2",
                params![&blob.to_string(), id],
            )
            .await?;
        }
        for child in &self.children {
            tx.execute(
                "INSERT INTO manifest_child (repository_id, digest, manifest_id)
                 SELECT repository_id, $1, id FROM manifest WHERE id = $2",
                params![&child.to_string(), id],
            )
            .await?;
        }
        Ok(())
    }
}

impl Restored for Tag {
    async fn restore(&self, tx: &mut Tx) -> Result<()> {
        let inserted = tx
            .execute(
                "INSERT INTO tag (repository_id, name, manifest_id, moved_at)
                 SELECT m.repository_id, $1, m.id, $2
                   FROM repository AS r JOIN manifest AS m ON m.repository_id = r.id
                  WHERE r.name = $3 AND m.digest = $4",
                params![&self.name, self.moved_at, &self.repository, &self.digest.to_string()],
            )
            .await?;
        one(inserted, "tag", &self.name)
    }
}

impl Restored for Pull {
    async fn restore(&self, tx: &mut Tx) -> Result<()> {
        let inserted = tx
            .execute(
                "INSERT INTO pull (repository_id, reference, count, last_at)
                 SELECT id, $1, $2, $3 FROM repository WHERE name = $4",
                params![&self.reference, self.count, self.last_at, &self.repository],
            )
            .await?;
        one(inserted, "pull count", &self.reference)
    }
}

impl Restored for Event {
    async fn restore(&self, tx: &mut Tx) -> Result<()> {
        let hash = hex::decode(&self.hash)
            .map_err(|_| Error::Invalid { what: "event hash", value: self.hash.clone() })?;
        let inserted = tx
            .execute(
                "INSERT INTO event (position, id, at, kind, repository, tag, digest, caller, detail, hash)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                params![
                    self.position,
                    &self.id,
                    self.at,
                    &self.kind,
                    &self.repository,
                    self.tag.as_deref(),
                    self.digest.as_deref(),
                    &self.caller,
                    &self.detail,
                    &hash[..],
                ],
            )
            .await?;
        one(inserted, "event", &self.position)
    }
}
