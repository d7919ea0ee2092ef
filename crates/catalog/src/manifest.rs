//! Manifests: the bytes as pushed, and what they need.

use std::ops::ControlFlow;
use std::sync::Arc;

use berth_oci::{Digest, Reference, RepositoryName};
use bytes::Bytes;
use jiff::Timestamp;

use crate::blob::BlobId;
use crate::driver::{Reader, Row, params};
use crate::error::{Error, Result};
use crate::link;
use crate::repository::{self, Repository};
use crate::tx::Tx;

/// A manifest's row id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManifestId(pub(crate) i64);

/// A manifest as it is served.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Digest of `content`.
    pub digest: Digest,
    /// Media type it was pushed with.
    pub media_type: Arc<str>,
    /// Bytes as pushed.
    pub content: Bytes,
    /// Since when it waits for review, if it does.
    pub questioned_at: Option<Timestamp>,
}

/// A manifest to insert.
#[derive(Debug, Clone)]
pub struct New {
    /// Digest of `content`.
    pub digest: Digest,
    /// Media type it is pushed with.
    pub media_type: String,
    /// What it refers to, with the entry that the referrers API shows.
    pub referrer: Option<Referrer>,
    /// Bytes as pushed.
    pub content: Bytes,
    /// Blobs it needs; each must be linked already.
    pub blobs: Vec<BlobId>,
    /// Digests of blobs it needs that are not there: the manifest is sparse.
    pub missing: Vec<Digest>,
    /// Digests of its children, present or not.
    pub children: Vec<Digest>,
    /// Levels of manifests, itself included, as far as its children are there.
    pub depth: u64,
}

/// A manifest's side of a subject relation.
#[derive(Debug, Clone)]
pub struct Referrer {
    /// Digest of the manifest referred to.
    pub subject: Digest,
    /// Effective artifact type.
    pub artifact_type: Option<String>,
    /// Descriptor as JSON.
    pub descriptor: String,
}

fn stored(row: &Row<'_>) -> Result<Stored> {
    Ok(Stored {
        digest: row.digest(0)?,
        media_type: Arc::from(row.text(1)?),
        content: Bytes::copy_from_slice(row.bytes(2)?),
        questioned_at: row.time_opt(3)?,
    })
}

/// Finds a manifest by tag or digest.
pub async fn find(r: &Reader, repository: &RepositoryName, reference: &Reference) -> Result<Option<Stored>> {
    match reference {
        Reference::Tag(tag) => {
            r.query_opt(
                "SELECT m.digest, m.media_type, m.content, m.questioned_at
                   FROM repository AS r
                   JOIN tag AS t ON t.repository_id = r.id
                   JOIN manifest AS m ON m.id = t.manifest_id
                  WHERE r.name = $1 AND t.name = $2",
                params![repository.as_str(), tag.as_str()],
                stored,
            )
            .await
        }
        Reference::Digest(digest) => {
            r.query_opt(
                "SELECT m.digest, m.media_type, m.content, m.questioned_at
                   FROM repository AS r
                   JOIN manifest AS m ON m.repository_id = r.id
                  WHERE r.name = $1 AND m.digest = $2",
                params![repository.as_str(), &digest.to_string()],
                stored,
            )
            .await
        }
    }
}

/// Finds a manifest's row id by digest.
pub async fn find_id(r: &Reader, repository: &Repository, digest: &Digest) -> Result<Option<ManifestId>> {
    r.query_opt(
        "SELECT id FROM manifest WHERE repository_id = $1 AND digest = $2",
        params![repository.id, &digest.to_string()],
        |row| row.int(0).map(ManifestId),
    )
    .await
}

/// Inserts a manifest, or finds it there; its blobs are kept from then on. Returns its id and whether it is new.
///
/// Found there, it waits for its review anew if it waits, and needs what of its blobs has come since.
pub async fn insert(
    tx: &mut Tx,
    repository: &Repository,
    new: &New,
    now: Timestamp,
) -> Result<(ManifestId, bool)> {
    tx.touch(&repository.name);
    let inserted = insert_row(tx, repository, new, now).await?;
    let id = match inserted {
        Some(id) => id,
        None => push_again(tx, repository, new, now).await?,
    };
    insert_needs(tx, repository, id, new).await?;
    Ok((id, inserted.is_some()))
}

/// The same bytes again: only the media type may differ, when the document itself states none.
async fn push_again(tx: &mut Tx, repository: &Repository, new: &New, now: Timestamp) -> Result<ManifestId> {
    let digest = new.digest.to_string();
    let found = tx
        .query_opt(
            "SELECT id, media_type FROM manifest WHERE repository_id = $1 AND digest = $2",
            params![repository.id, &digest],
            |row| Ok((ManifestId(row.int(0)?), row.text(1)? == new.media_type)),
        )
        .await?;
    let (id, same) = found.ok_or(Error::Invalid { what: "manifest", value: digest })?;
    if !same {
        tx.withdraw(&repository.name);
    }
    tx.post(
        "UPDATE manifest SET media_type = $1, pushed_at = $2,
                questioned_at = CASE WHEN questioned_at IS NULL THEN NULL ELSE CAST($2 AS BIGINT) END
          WHERE id = $3",
        params![&new.media_type, now, id.0],
    )
    .await?;
    tx.post("DELETE FROM manifest_missing WHERE manifest_id = $1", params![id.0]).await?;
    Ok(id)
}

/// Inserts a manifest; `None` if it is there already.
async fn insert_row(
    tx: &mut Tx,
    repository: &Repository,
    new: &New,
    now: Timestamp,
) -> Result<Option<ManifestId>> {
    let digest = new.digest.to_string();
    let referrer = new.referrer.as_ref();
    let subject = referrer.map(|referrer| referrer.subject.to_string());
    tx.query_opt(
        "INSERT INTO manifest (repository_id, digest, media_type, subject, artifact_type, depth, pushed_at,
                               questioned_at, descriptor, content)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9)
         ON CONFLICT (repository_id, digest) DO NOTHING RETURNING id",
        params![
            repository.id,
            &digest,
            &new.media_type,
            subject.as_deref(),
            referrer.and_then(|referrer| referrer.artifact_type.as_deref()),
            new.depth,
            now,
            referrer.map(|referrer| referrer.descriptor.as_str()),
            &new.content[..],
        ],
        |row| row.int(0).map(ManifestId),
    )
    .await
}

async fn insert_needs(tx: &mut Tx, repository: &Repository, id: ManifestId, new: &New) -> Result<()> {
    for batch in new.blobs.chunks(link::BATCH) {
        // A batch that is not full names its last one again.
        let blob = |n: usize| batch[n.min(batch.len() - 1)].0;
        let (repository, id) = (repository.id, id.0);
        let (one, two, three, four) = (blob(0), blob(1), blob(2), blob(3));
        let (five, six, seven, eight) = (blob(4), blob(5), blob(6), blob(7));
        // Values, not rows of `blob`: to look at the end of its key would be to meet every push of a blob on Postgres.
        tx.post(
            "INSERT INTO manifest_blob (repository_id, manifest_id, blob_id)
             VALUES ($1, $2, $3), ($1, $2, $4), ($1, $2, $5), ($1, $2, $6),
                    ($1, $2, $7), ($1, $2, $8), ($1, $2, $9), ($1, $2, $10)
             ON CONFLICT DO NOTHING",
            params![repository, id, one, two, three, four, five, six, seven, eight],
        )
        .await?;
        tx.post(
            "UPDATE link SET questioned_at = NULL
              WHERE repository_id = $1 AND blob_id IN ($2, $3, $4, $5, $6, $7, $8, $9) AND questioned_at IS NOT NULL",
            params![repository, one, two, three, four, five, six, seven, eight],
        )
        .await?;
    }
    for digest in &new.missing {
        tx.post(
            "INSERT INTO manifest_missing (repository_id, digest, manifest_id) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING",
            params![repository.id, &digest.to_string(), id.0],
        )
        .await?;
    }
    for child in &new.children {
        tx.post(
            "INSERT INTO manifest_child (repository_id, digest, manifest_id) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING",
            params![repository.id, &child.to_string(), id.0],
        )
        .await?;
    }
    Ok(())
}

/// Finds how many levels of manifests a manifest that is there has, itself included.
pub async fn find_depth(r: &Reader, repository: &Repository, digest: &Digest) -> Result<Option<u64>> {
    r.query_opt(
        "SELECT depth FROM manifest WHERE repository_id = $1 AND digest = $2",
        params![repository.id, &digest.to_string()],
        |row| row.size(0),
    )
    .await
}

/// Starts the wait of a manifest that is under review anew, because a client was just told that it is there.
pub async fn renew(
    tx: &mut Tx,
    repository: &RepositoryName,
    digest: &Digest,
    now: Timestamp,
) -> Result<bool> {
    tx.touch(repository);
    let changed = tx
        .execute(
            "UPDATE manifest SET questioned_at = CASE WHEN questioned_at IS NULL THEN NULL ELSE CAST($1 AS BIGINT) END
              WHERE repository_id = (SELECT id FROM repository WHERE name = $2) AND digest = $3",
            params![now, repository.as_str(), &digest.to_string()],
        )
        .await?;
    Ok(changed > 0)
}

/// Marks a manifest for review: something that needed it went.
pub async fn question(tx: &mut Tx, id: ManifestId, now: Timestamp) -> Result<()> {
    tx.post("UPDATE manifest SET questioned_at = $1 WHERE id = $2", params![now, id.0]).await?;
    Ok(())
}

/// Deletes a manifest. Its blobs' links, its children and its referrers are marked for review. Its tags must be gone.
pub async fn delete(tx: &mut Tx, repository: &Repository, id: ManifestId, now: Timestamp) -> Result<()> {
    tx.withdraw(&repository.name);
    tx.post(
        "UPDATE link SET questioned_at = $1 WHERE repository_id = $2
            AND blob_id IN (SELECT blob_id FROM manifest_blob WHERE manifest_id = $3
                             UNION
                            SELECT b.id FROM manifest_missing AS mm JOIN blob AS b ON b.digest = mm.digest
                             WHERE mm.manifest_id = $3)",
        params![now, repository.id, id.0],
    )
    .await?;
    tx.post(
        "UPDATE manifest SET questioned_at = $1 WHERE repository_id = $2
            AND digest IN (SELECT digest FROM manifest_child WHERE manifest_id = $3)",
        params![now, repository.id, id.0],
    )
    .await?;
    tx.post(
        "UPDATE manifest SET questioned_at = $1 WHERE repository_id = $2
            AND subject = (SELECT digest FROM manifest WHERE id = $3)",
        params![now, repository.id, id.0],
    )
    .await?;
    tx.post(
        "DELETE FROM pull WHERE repository_id = $1 AND reference = (SELECT digest FROM manifest WHERE id = $2)",
        params![repository.id, id.0],
    )
    .await?;
    tx.post("DELETE FROM manifest_blob WHERE manifest_id = $1", params![id.0]).await?;
    tx.post("DELETE FROM manifest_missing WHERE manifest_id = $1", params![id.0]).await?;
    tx.post("DELETE FROM manifest_child WHERE manifest_id = $1", params![id.0]).await?;
    tx.post("DELETE FROM manifest WHERE id = $1", params![id.0]).await?;
    repository::delete_if_empty(tx, repository.id).await
}

/// Tells whether a manifest was pushed without this blob.
pub async fn is_sparse(r: &Reader, id: ManifestId, digest: &Digest) -> Result<bool> {
    let found = r
        .query_opt(
            "SELECT 1 FROM manifest_missing WHERE manifest_id = $1 AND digest = $2",
            params![id.0, &digest.to_string()],
            |_| Ok(()),
        )
        .await?;
    Ok(found.is_some())
}

/// Lists the referrers of `subject` in digest order after `after`, as descriptors in JSON: at most `limit`, and (but for the
/// first) at most `limit_bytes`, since annotations can be large. Tells whether there are more.
pub async fn list_referrers(
    r: &Reader,
    repository: &RepositoryName,
    subject: &Digest,
    artifact_type: Option<&str>,
    after: &str,
    limit: usize,
    limit_bytes: usize,
) -> Result<(Vec<String>, bool)> {
    let (mut listed, mut bytes, mut more) = (Vec::new(), 0, false);
    r.each(
        "SELECT m.descriptor FROM repository AS r
           JOIN manifest AS m ON m.repository_id = r.id
          WHERE r.name = $1 AND m.subject = $2 AND m.digest > $3 AND (CAST($4 AS TEXT) IS NULL OR m.artifact_type = $4)
          ORDER BY m.digest LIMIT $5",
        params![repository.as_str(), &subject.to_string(), after, artifact_type, limit.saturating_add(1)],
        |row| {
            let descriptor = row.text(0)?;
            bytes += descriptor.len();
            more = listed.len() == limit || (bytes > limit_bytes && !listed.is_empty());
            if more {
                return Ok(ControlFlow::Break(()));
            }
            listed.push(descriptor.to_owned());
            Ok(ControlFlow::Continue(()))
        },
    )
    .await?;
    Ok((listed, more))
}
