//! Which repositories of another registry's store are taken in, and which blobs still lie there.

use berth_oci::Digest;
use jiff::Timestamp;

use crate::driver::{Reader, params};
use crate::error::{Error, Result};
use crate::tx::Tx;

/// The name that stands for all repositories.
const ALL: &str = "";
/// Before and behind every location in the other registry's store.
const FOREIGN: (&str, &str) = ("foreign/", "foreign0");

/// A repository that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Its name in the other store, which may be one that is refused here.
    pub repository: String,
    /// Manifests taken in.
    pub manifests: u64,
    /// Tags taken in.
    pub tags: u64,
    /// What was refused or missing.
    pub problems: Vec<String>,
}

/// What was taken in so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Repositories.
    pub repositories: u64,
    /// Manifests.
    pub manifests: u64,
    /// Tags.
    pub tags: u64,
    /// Whether nothing is missing any more.
    pub complete: bool,
}

/// Tells whether a repository, or all, were taken in.
pub async fn is_done(r: &Reader, repository: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM imported WHERE repository IN ($1, $2) LIMIT 1";
    Ok(r.query_opt(sql, params![repository, ALL], |_| Ok(())).await?.is_some())
}

/// Another registry's bucket, as every node finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Which store it is.
    pub name: String,
    /// How to reach it.
    pub address: String,
}

/// Finds the bucket that is being imported.
pub async fn find_source(r: &Reader) -> Result<Option<Source>> {
    r.query_opt("SELECT name, address FROM import_source WHERE one = 1", params![], |row| {
        Ok(Source { name: row.text(0)?.to_owned(), address: row.text(1)?.to_owned() })
    })
    .await
}

/// Makes a bucket the one that is imported, with nothing taken in of it, or notes how it is reached now. Changes nothing while
/// another is, and returns that one's name.
pub async fn begin(tx: &mut Tx, source: &Source) -> Result<Option<String>> {
    match find_source(tx).await? {
        Some(known) if known.name != source.name => return Ok(Some(known.name)),
        Some(_) => {}
        None => clear(tx).await?,
    }
    tx.execute(
        "INSERT INTO import_source (one, name, address) VALUES (1, $1, $2)
         ON CONFLICT (one) DO UPDATE SET address = excluded.address",
        params![&source.name, &source.address],
    )
    .await?;
    Ok(None)
}

/// Tells whether what the other store has of a repository may still be taken in; `source` names the bucket that was looked at.
///
/// An import that has ended meanwhile has taken its bucket along: what was deleted since must not come back.
pub async fn is_open(r: &Reader, repository: &str, source: Option<&str>) -> Result<bool> {
    if is_done(r, repository).await? {
        return Ok(false);
    }
    match source {
        Some(name) => Ok(find_source(r).await?.is_some_and(|known| known.name == name)),
        None => Ok(true),
    }
}

/// Notes that a repository was taken in, unless that is noted.
pub async fn insert(tx: &mut Tx, imported: &Imported, now: Timestamp) -> Result<()> {
    let problems = serde_json::to_string(&imported.problems)
        .map_err(|error| Error::Invalid { what: "list of problems", value: error.to_string() })?;
    tx.post(
        "INSERT INTO imported (repository, manifests, tags, problems, imported_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (repository) DO NOTHING",
        params![&imported.repository, imported.manifests, imported.tags, &problems, now],
    )
    .await?;
    Ok(())
}

/// Notes that all repositories were taken in.
pub async fn complete(tx: &mut Tx, now: Timestamp) -> Result<()> {
    let all = Imported { repository: ALL.to_owned(), manifests: 0, tags: 0, problems: Vec::new() };
    insert(tx, &all, now).await
}

/// Forgets everything noted, for another import.
pub async fn clear(tx: &mut Tx) -> Result<()> {
    tx.post("DELETE FROM imported WHERE repository >= $1", params![ALL]).await?;
    tx.post("DELETE FROM import_source WHERE one = 1", params![]).await?;
    Ok(())
}

/// Lists repositories taken in, in byte order behind `after`.
pub async fn list(r: &Reader, after: &str, limit: usize) -> Result<Vec<Imported>> {
    r.query(
        "SELECT repository, manifests, tags, problems FROM imported WHERE repository > $1
          ORDER BY repository LIMIT $2",
        params![after, limit],
        |row| {
            let problems = row.text(3)?;
            Ok(Imported {
                repository: row.text(0)?.to_owned(),
                manifests: row.size(1)?,
                tags: row.size(2)?,
                problems: serde_json::from_str(problems)
                    .map_err(|_| Error::Invalid { what: "list of problems", value: problems.to_owned() })?,
            })
        },
    )
    .await
}

/// Counts what was taken in.
pub async fn totals(r: &Reader) -> Result<Totals> {
    let totals = r
        .query_opt(
            "SELECT COUNT(CASE WHEN repository <> $1 THEN 1 END), CAST(COALESCE(SUM(manifests), 0) AS BIGINT),
                    CAST(COALESCE(SUM(tags), 0) AS BIGINT), COUNT(CASE WHEN repository = $1 THEN 1 END)
               FROM imported",
            params![ALL],
            |row| {
                Ok(Totals {
                    repositories: row.size(0)?,
                    manifests: row.size(1)?,
                    tags: row.size(2)?,
                    complete: row.int(3)? > 0,
                })
            },
        )
        .await?;
    Ok(totals.unwrap_or_default())
}

/// A blob whose bytes lie in the other registry's store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Where its bytes lie.
    pub location: String,
}

/// Tells whether a location lies in the other store.
pub(crate) fn is_foreign(location: &str) -> bool {
    location.starts_with(FOREIGN.0)
}

/// Lists healthy blobs whose bytes lie in the other store, behind the location `after` (empty for the start).
pub async fn list_foreign(r: &Reader, after: &str, limit: usize) -> Result<Vec<Foreign>> {
    let after = if after.is_empty() { FOREIGN.0 } else { after };
    r.query(
        "SELECT digest, size, location FROM blob
          WHERE location > $1 AND location < $2 AND damaged_at IS NULL ORDER BY location LIMIT $3",
        params![after, FOREIGN.1, limit],
        |row| Ok(Foreign { digest: row.digest(0)?, size: row.size(1)?, location: row.text(2)?.to_owned() }),
    )
    .await
}

/// Counts the healthy blobs whose bytes lie in the other store, and their bytes.
pub async fn count_foreign(r: &Reader) -> Result<(u64, u64)> {
    let found = r
        .query_opt(
            "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM blob
              WHERE location > $1 AND location < $2 AND damaged_at IS NULL",
            params![FOREIGN.0, FOREIGN.1],
            |row| Ok((row.size(0)?, row.size(1)?)),
        )
        .await?;
    Ok(found.unwrap_or_default())
}

/// Lets every node forget where blobs lay: before the other store goes.
pub async fn forget_places(tx: &mut Tx) -> Result<()> {
    tx.withdraw_all();
    Ok(())
}

/// Points a blob's row at where its bytes lie now. Returns false, and changes nothing, if it does not point at `from` any more.
pub async fn move_blob(tx: &mut Tx, blob: &Foreign, to: &str) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE blob SET location = $1 WHERE digest = $2 AND location = $3 AND damaged_at IS NULL",
            params![to, &blob.digest.to_string(), &blob.location],
        )
        .await?;
    Ok(changed > 0)
}
