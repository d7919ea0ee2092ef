//! Links: which repositories may read which blobs.

use std::collections::HashMap;

use berth_oci::{Digest, RepositoryName};
use jiff::Timestamp;

use crate::blob::BlobId;
use crate::driver::{Reader, params};
use crate::error::Result;
use crate::repository::{self, Repository};
use crate::tx::Tx;

/// Blobs to a statement: as many as most images have.
pub(crate) const BATCH: usize = 8;

/// Links a blob and marks the link for review: nothing is known to need it yet. A later push starts the wait anew.
///
/// A link that a manifest keeps stays unmarked; that manifest's end marks it.
pub async fn question(tx: &mut Tx, repository: &Repository, blob: BlobId, now: Timestamp) -> Result<()> {
    tx.touch(&repository.name);
    tx.post(
        "INSERT INTO link (repository_id, blob_id, questioned_at) VALUES ($1, $2, $3)
         ON CONFLICT (repository_id, blob_id) DO UPDATE SET questioned_at = excluded.questioned_at
            WHERE link.questioned_at IS NOT NULL",
        params![repository.id, blob.0, now],
    )
    .await?;
    Ok(())
}

/// Clears the review mark of the blobs that a manifest names.
pub async fn keep(tx: &mut Tx, repository: &Repository, blob: BlobId) -> Result<()> {
    tx.post(
        "UPDATE link SET questioned_at = NULL
          WHERE repository_id = $1 AND blob_id = $2 AND questioned_at IS NOT NULL",
        params![repository.id, blob.0],
    )
    .await?;
    Ok(())
}

/// Starts the wait of a link that is under review anew, because a client was just told that the blob is there.
/// Returns false if the link is gone.
pub async fn renew(tx: &mut Tx, repository: &RepositoryName, blob: BlobId, now: Timestamp) -> Result<bool> {
    tx.touch(repository);
    let changed = tx
        .execute(
            "UPDATE link SET questioned_at = CASE WHEN questioned_at IS NULL THEN NULL ELSE CAST($1 AS BIGINT) END
              WHERE repository_id = (SELECT id FROM repository WHERE name = $2) AND blob_id = $3",
            params![now, repository.as_str(), blob.0],
        )
        .await?;
    Ok(changed > 0)
}

/// Finds a healthy linked blob of one repository by digest.
pub async fn find(r: &Reader, repository: &Repository, digest: &Digest) -> Result<Option<(BlobId, u64)>> {
    r.query_opt(
        "SELECT b.id, b.size FROM blob AS b
           JOIN link AS l ON l.blob_id = b.id
          WHERE l.repository_id = $1 AND b.digest = $2 AND b.damaged_at IS NULL",
        params![repository.id, &digest.to_string()],
        |row| Ok((BlobId(row.int(0)?), row.size(1)?)),
    )
    .await
}

/// Finds which of `digests` are healthy linked blobs of one repository: a few in each statement, however many there are.
pub async fn find_all(
    r: &Reader,
    repository: &Repository,
    digests: &[Digest],
) -> Result<HashMap<Digest, BlobId>> {
    let mut found = HashMap::with_capacity(digests.len());
    for batch in digests.chunks(BATCH) {
        let texts: Vec<String> = batch.iter().map(ToString::to_string).collect();
        // A batch that is not full asks for its last one again. CROSS says in which order SQLite has to look.
        let text = |n: usize| texts[n.min(texts.len() - 1)].as_str();
        let rows = r
            .query(
                "SELECT b.digest, b.id FROM blob AS b CROSS JOIN link AS l
                  WHERE b.digest IN ($1, $2, $3, $4, $5, $6, $7, $8) AND b.damaged_at IS NULL
                    AND l.repository_id = $9 AND l.blob_id = b.id",
                params![
                    text(0),
                    text(1),
                    text(2),
                    text(3),
                    text(4),
                    text(5),
                    text(6),
                    text(7),
                    repository.id
                ],
                |row| Ok((row.digest(0)?, BlobId(row.int(1)?))),
            )
            .await?;
        found.extend(rows);
    }
    Ok(found)
}

/// Tells whether a manifest of the repository names a blob, also one that was pushed before the blob.
pub async fn is_needed(r: &Reader, repository: &Repository, blob: BlobId) -> Result<bool> {
    let found = r
        .query_opt(
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM manifest_blob WHERE blob_id = $1 AND repository_id = $2)
                OR EXISTS (SELECT 1 FROM blob AS b JOIN manifest_missing AS mm ON mm.digest = b.digest
                            WHERE b.id = $1 AND mm.repository_id = $2)",
            params![blob.0, repository.id],
            |_| Ok(()),
        )
        .await?;
    Ok(found.is_some())
}

/// Deletes a link; condemns the blob if it was the last one, as waiting since `since`.
pub async fn delete(tx: &mut Tx, repository: &Repository, blob: BlobId, since: Timestamp) -> Result<bool> {
    tx.withdraw(&repository.name);
    let deleted = tx
        .execute("DELETE FROM link WHERE repository_id = $1 AND blob_id = $2", params![repository.id, blob.0])
        .await?;
    tx.post(
        "UPDATE blob SET condemned_at = $1
          WHERE id = $2 AND condemned_at IS NULL AND NOT EXISTS (SELECT 1 FROM link WHERE blob_id = $2)",
        params![since, blob.0],
    )
    .await?;
    repository::delete_if_empty(tx, repository.id).await?;
    Ok(deleted > 0)
}
