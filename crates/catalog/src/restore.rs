//! Takes in the rows that [`export`](crate::export) made, into a catalog that holds nothing: repositories first, then blobs, links,
//! manifests, tags, pulls, then who may do what, in the order of [`export`](crate::export)'s list, and events.

use crate::driver::{Reader, params};
use crate::error::{Error, Result};
use crate::export::{BlobLink, Event, Exported, Manifest, Pull, Repository, Tag};
use crate::moving::{self, Moving, State};
use crate::postgres::export::advance_head;
use crate::tx::Tx;

use berth_oci::Digest;
use jiff::Timestamp;

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
    for sql in [
        "SELECT 1 FROM repository LIMIT 1",
        "SELECT 1 FROM blob LIMIT 1",
        "SELECT 1 FROM event LIMIT 1",
        "SELECT 1 FROM account LIMIT 1",
        "SELECT 1 FROM robot LIMIT 1",
        "SELECT 1 FROM project LIMIT 1",
        "SELECT 1 FROM role LIMIT 1",
        "SELECT 1 FROM binding LIMIT 1",
    ] {
        if r.query_opt(sql, params![], |_| Ok(())).await?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Marks an empty catalog as one that a point is being restored into: until [`end`] no node begins to serve it, and those that do
/// write nothing. One that holds something and has no mark gets none: it may be in use, and what is to come in is compared with it.
///
/// # Errors
/// [`Error::NotFree`] while another point is being restored into it, or a registry moves there.
pub async fn begin(tx: &mut Tx, point: &str, now: Timestamp) -> Result<()> {
    match moving::find(tx).await? {
        Some(Moving { state: State::Restoring, peer, .. }) if peer != point => {
            return Err(Error::NotFree(format!(
                "point {peer} is being restored into the database: go on with that one, or drop the database to begin anew"
            )));
        }
        Some(Moving { state: State::Filling | State::Ready, .. }) => {
            return Err(Error::NotFree(
                "a registry is moving to the database: restore into an empty one".into(),
            ));
        }
        Some(_) => return Ok(()),
        None if !is_empty(tx).await? => return Ok(()),
        None => {}
    }
    tx.execute(
        "INSERT INTO moving (one, id, peer, state, worker, rests_till, applied, progress, started_at, changed_at)
         VALUES (1, $1, $1, $2, '', 0, 0, '{}', $3, $3)",
        params![point, State::Restoring.as_str(), now],
    )
    .await
    .map(drop)
}

/// Takes the mark away: everything is there.
pub async fn end(tx: &mut Tx) -> Result<()> {
    let sql = "DELETE FROM moving WHERE one = 1 AND state = $1";
    tx.execute(sql, params![State::Restoring.as_str()]).await.map(drop)
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
    tx.post(
        "INSERT INTO blob (digest, size, location, created_at, damaged_at, content) VALUES ($1, $2, $3, $4, $5, $6)",
        params![&digest.to_string(), size, location, created_at, damaged_at, content],
    )
    .await?;
    Ok(())
}

async fn repository(tx: &Tx, name: &str) -> Result<i64> {
    let sql = "SELECT id FROM repository WHERE name = $1";
    let found = tx.query_opt(sql, params![name], |row| row.int(0)).await?;
    found.ok_or_else(|| Error::Invalid { what: "repository's name", value: name.to_owned() })
}

async fn blob(tx: &Tx, digest: &Digest) -> Result<i64> {
    let text = digest.to_string();
    let sql = "SELECT id FROM blob WHERE digest = $1";
    let found = tx.query_opt(sql, params![&text], |row| row.int(0)).await?;
    found.ok_or(Error::Invalid { what: "blob's digest", value: text })
}

impl Restored for Repository {
    async fn restore(&self, tx: &mut Tx) -> Result<()> {
        let sql = "INSERT INTO repository (name, created_at) VALUES ($1, $2)";
        tx.post(sql, params![&self.name, self.created_at]).await
    }
}

impl Restored for BlobLink {
    async fn restore(&self, tx: &mut Tx) -> Result<()> {
        let (repository, blob) = (repository(tx, &self.repository).await?, blob(tx, &self.digest).await?);
        let sql = "INSERT INTO link (repository_id, blob_id, questioned_at) VALUES ($1, $2, $3)";
        tx.post(sql, params![repository, blob, self.questioned_at]).await
    }
}

impl Restored for Manifest {
    async fn restore(&self, tx: &mut Tx) -> Result<()> {
        let repository = repository(tx, &self.repository).await?;
        let id = tx
            .query_opt(
                "INSERT INTO manifest (repository_id, digest, media_type, subject, artifact_type, depth, pushed_at,
                                       questioned_at, descriptor, content)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id",
                params![
                    repository,
                    &self.digest.to_string(),
                    &self.media_type,
                    self.subject.as_deref(),
                    self.artifact_type.as_deref(),
                    self.depth,
                    self.pushed_at,
                    self.questioned_at,
                    self.descriptor.as_deref(),
                    self.content.as_bytes(),
                ],
                |row| row.int(0),
            )
            .await?
            .ok_or_else(|| Error::Invalid { what: "manifest", value: self.digest.to_string() })?;
        for digest in &self.blobs {
            let blob = blob(tx, digest).await?;
            let sql = "INSERT INTO manifest_blob (repository_id, blob_id, manifest_id) VALUES ($1, $2, $3)";
            tx.post(sql, params![repository, blob, id]).await?;
        }
        for digest in &self.missing {
            let sql = "INSERT INTO manifest_missing (repository_id, digest, manifest_id) VALUES ($1, $2, $3)";
            tx.post(sql, params![repository, &digest.to_string(), id]).await?;
        }
        for digest in &self.children {
            let sql = "INSERT INTO manifest_child (repository_id, digest, manifest_id) VALUES ($1, $2, $3)";
            tx.post(sql, params![repository, &digest.to_string(), id]).await?;
        }
        Ok(())
    }
}

impl Restored for Tag {
    async fn restore(&self, tx: &mut Tx) -> Result<()> {
        let (repository, digest) = (repository(tx, &self.repository).await?, self.digest.to_string());
        let manifest = tx
            .query_opt(
                "SELECT id FROM manifest WHERE repository_id = $1 AND digest = $2",
                params![repository, &digest],
                |row| row.int(0),
            )
            .await?
            .ok_or(Error::Invalid { what: "tag's manifest", value: digest })?;
        let sql = "INSERT INTO tag (repository_id, name, manifest_id, moved_at) VALUES ($1, $2, $3, $4)";
        tx.post(sql, params![repository, &self.name, manifest, self.moved_at]).await
    }
}

impl Restored for Pull {
    async fn restore(&self, tx: &mut Tx) -> Result<()> {
        let repository = repository(tx, &self.repository).await?;
        let sql = "INSERT INTO pull (repository_id, reference, count, last_at) VALUES ($1, $2, $3, $4)";
        tx.post(sql, params![repository, &self.reference, self.count, self.last_at]).await
    }
}

impl Restored for Event {
    async fn restore(&self, tx: &mut Tx) -> Result<()> {
        let hash = hex::decode(&self.hash)
            .map_err(|_| Error::Invalid { what: "event hash", value: self.hash.clone() })?;
        tx.post(
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
        if tx.shared().is_some() {
            advance_head(tx, self).await?;
        }
        Ok(())
    }
}
