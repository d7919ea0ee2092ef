//! Tags: names that move between manifests.

use berth_oci::{Digest, RepositoryName, Tag};
use jiff::Timestamp;

use crate::driver::{Reader, params};
use crate::error::Result;
use crate::manifest::{self, ManifestId};
use crate::repository::Repository;
use crate::tx::Tx;

/// Points a tag at a manifest. Returns the digest of the manifest it pointed at before, if it was there.
pub async fn move_to(
    tx: &mut Tx,
    repository: &Repository,
    tag: &Tag,
    target: ManifestId,
    now: Timestamp,
) -> Result<Option<Digest>> {
    tx.touch(&repository.name);
    let before = find(tx, repository, tag).await?;
    tx.post(
        "INSERT INTO tag (repository_id, name, manifest_id, moved_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (repository_id, name) DO UPDATE SET manifest_id = excluded.manifest_id, moved_at = excluded.moved_at",
        params![repository.id, tag.as_str(), target.0, now],
    )
    .await?;
    if let Some((id, _)) = before
        && id != target
    {
        tx.withdraw(&repository.name);
        manifest::question(tx, id, now).await?;
    }
    Ok(before.map(|(_, digest)| digest))
}

/// Finds what a tag points at.
pub async fn find(r: &Reader, repository: &Repository, tag: &Tag) -> Result<Option<(ManifestId, Digest)>> {
    r.query_opt(
        "SELECT m.id, m.digest FROM tag AS t JOIN manifest AS m ON m.id = t.manifest_id
          WHERE t.repository_id = $1 AND t.name = $2",
        params![repository.id, tag.as_str()],
        |row| Ok((ManifestId(row.int(0)?), row.digest(1)?)),
    )
    .await
}

/// Deletes a tag; the manifest it pointed at is marked for review. Returns its digest, or `None` if there was no such tag.
pub async fn delete(
    tx: &mut Tx,
    repository: &Repository,
    tag: &Tag,
    now: Timestamp,
) -> Result<Option<Digest>> {
    let Some((id, digest)) = find(tx, repository, tag).await? else { return Ok(None) };
    tx.withdraw(&repository.name);
    tx.post("DELETE FROM tag WHERE repository_id = $1 AND name = $2", params![repository.id, tag.as_str()])
        .await?;
    tx.post(
        "DELETE FROM pull WHERE repository_id = $1 AND reference = $2",
        params![repository.id, tag.as_str()],
    )
    .await?;
    manifest::question(tx, id, now).await?;
    Ok(Some(digest))
}

/// Lists the tags of a repository in byte order after `after`.
pub async fn list(r: &Reader, repository: &RepositoryName, after: &str, limit: usize) -> Result<Vec<Tag>> {
    r.query(
        "SELECT name FROM tag
          WHERE repository_id = (SELECT id FROM repository WHERE name = $1) AND name > $2 ORDER BY name LIMIT $3",
        params![repository.as_str(), after, limit],
        |row| row.parse(0, "tag"),
    )
    .await
}

/// Deletes every tag that points at one manifest, which is about to be deleted itself. Returns their names.
pub async fn delete_of(tx: &mut Tx, repository: &Repository, target: ManifestId) -> Result<Vec<Tag>> {
    tx.touch(&repository.name);
    tx.post(
        "DELETE FROM pull WHERE repository_id = $1 AND reference IN (SELECT name FROM tag WHERE manifest_id = $2)",
        params![repository.id, target.0],
    )
    .await?;
    tx.query("DELETE FROM tag WHERE manifest_id = $1 RETURNING name", params![target.0], |row| {
        row.parse(0, "tag")
    })
    .await
}
