//! Upload sessions: how far each has come, and the digest's state at that point.

use berth_oci::{Digest, RepositoryName};
use bytes::Bytes;
use jiff::Timestamp;

use crate::driver::{Reader, params};
use crate::error::Result;
use crate::repository::{self, Repository};
use crate::tx::Tx;

/// An upload session.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Repository it belongs to.
    pub repository: RepositoryName,
    /// Who started it.
    pub caller: String,
    /// Acknowledged bytes.
    pub size: u64,
    /// Saved hash state after exactly those bytes.
    pub hash_state: Vec<u8>,
    /// Those bytes while they are few; `None` when they lie in the blob store.
    pub content: Option<Bytes>,
}

/// Starts a session.
pub async fn insert(
    tx: &mut Tx,
    id: &str,
    repository: &Repository,
    caller: &str,
    hash_state: &[u8],
    now: Timestamp,
) -> Result<()> {
    tx.post(
        "INSERT INTO upload (id, repository_id, caller, size, hash_state, content, started_at, touched_at)
         VALUES ($1, $2, $3, 0, $4, $5, $6, $6)",
        params![id, repository.id, caller, hash_state, &[][..], now],
    )
    .await?;
    Ok(())
}

/// Starts a session that brings a blob anew which is known already, in the name of a repository that links it, or of any. Returns
/// false if there is no repository.
pub async fn insert_anew(
    tx: &mut Tx,
    id: &str,
    digest: &Digest,
    caller: &str,
    hash_state: &[u8],
    now: Timestamp,
) -> Result<bool> {
    let linking = tx
        .query_opt(
            "SELECT l.repository_id FROM blob AS b JOIN link AS l ON l.blob_id = b.id WHERE b.digest = $1 LIMIT 1",
            params![&digest.to_string()],
            |row| row.int(0),
        )
        .await?;
    let any = "SELECT id FROM repository ORDER BY id LIMIT 1";
    let repository = match linking {
        Some(id) => Some(id),
        None => tx.query_opt(any, params![], |row| row.int(0)).await?,
    };
    let Some(repository) = repository else { return Ok(false) };
    tx.execute(
        "INSERT INTO upload (id, repository_id, caller, size, hash_state, started_at, touched_at)
         VALUES ($1, $2, $3, 0, $4, $5, $5)",
        params![id, repository, caller, hash_state, now],
    )
    .await?;
    Ok(true)
}

/// Finds a session by id.
pub async fn find(r: &Reader, id: &str) -> Result<Option<Upload>> {
    r.query_opt(
        "SELECT r.name, u.caller, u.size, u.hash_state, u.content
           FROM upload AS u JOIN repository AS r ON r.id = u.repository_id WHERE u.id = $1",
        params![id],
        |row| {
            Ok(Upload {
                repository: row.parse(0, "repository name")?,
                caller: row.text(1)?.to_owned(),
                size: row.size(2)?,
                hash_state: row.bytes(3)?.to_vec(),
                content: row.bytes_opt(4)?.map(Bytes::copy_from_slice),
            })
        },
    )
    .await
}

/// Acknowledges bytes: moves a session from `from` to `to` bytes. Returns false if it was not at `from` any more.
pub async fn advance(
    tx: &mut Tx,
    id: &str,
    from: u64,
    to: u64,
    hash_state: &[u8],
    content: Option<&[u8]>,
    now: Timestamp,
) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE upload SET size = $1, hash_state = $2, content = $3, touched_at = $4 WHERE id = $5 AND size = $6",
            params![to, hash_state, content, now, id, from],
        )
        .await?;
    Ok(changed > 0)
}

/// Ends a session whose blob came to be. Does nothing if it was gone already, or never was.
pub async fn finish(tx: &mut Tx, id: &str) -> Result<()> {
    tx.post("DELETE FROM upload WHERE id = $1", params![id]).await?;
    Ok(())
}

/// Ends a session for nothing, and forgets its repository if that holds nothing else. Returns false if it was gone already.
pub async fn delete(tx: &mut Tx, id: &str) -> Result<bool> {
    let repository = tx
        .query_opt("DELETE FROM upload WHERE id = $1 RETURNING repository_id", params![id], |row| row.int(0))
        .await?;
    end(tx, repository).await
}

/// Does the same to a session that nobody touched since `before`. Returns false if it was gone, or touched.
pub async fn delete_stale(tx: &mut Tx, id: &str, before: Timestamp) -> Result<bool> {
    let repository = tx
        .query_opt(
            "DELETE FROM upload WHERE id = $1 AND touched_at < $2 RETURNING repository_id",
            params![id, before],
            |row| row.int(0),
        )
        .await?;
    end(tx, repository).await
}

async fn end(tx: &mut Tx, repository: Option<i64>) -> Result<bool> {
    if let Some(id) = repository {
        repository::delete_if_empty(tx, id).await?;
    }
    Ok(repository.is_some())
}

/// Lists sessions that nobody touched since `before`, oldest first.
pub async fn list_stale(r: &Reader, before: Timestamp, limit: usize) -> Result<Vec<String>> {
    r.query(
        "SELECT id FROM upload WHERE touched_at < $1 ORDER BY touched_at LIMIT $2",
        params![before, limit],
        |row| Ok(row.text(0)?.to_owned()),
    )
    .await
}

/// Counts sessions that nobody touched since `before`.
pub async fn count_stale(r: &Reader, before: Timestamp) -> Result<u64> {
    let sql = "SELECT COUNT(*) FROM upload WHERE touched_at < $1";
    Ok(r.query_opt(sql, params![before], |row| row.size(0)).await?.unwrap_or(0))
}

/// Counts open sessions.
pub async fn count(r: &Reader) -> Result<u64> {
    Ok(r.query_opt("SELECT COUNT(*) FROM upload", params![], |row| row.size(0)).await?.unwrap_or(0))
}
