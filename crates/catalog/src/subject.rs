//! Persons in the logs: a random name that says nothing, and the key to what the logs say of them. When a person is erased both the
//! name and the key go, and what is sealed under the key can't be read by anybody.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::driver::{Reader, Row, params};
use crate::error::Result;
use crate::tx::Tx;

/// How names in logs begin. A user of an older version may be called so, too: then nobody has that pseudonym.
pub const PSEUDONYM: &str = "person-";

/// By then every node has heard of an erasure.
const HEARD_MICROSECONDS: i64 = 15 * 60 * 1_000_000;

/// A person, or what is left of one.
#[derive(Clone, PartialEq, Eq)]
pub struct Subject {
    /// The name in logs.
    pub pseudonym: String,
    /// The name to log in with, until the person is erased.
    pub name: Option<String>,
    /// The key, sealed, until the person is erased.
    pub sealed: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the person was erased.
    pub erased_at: Option<Timestamp>,
    /// Since when no plain column of the trail says any more from where the person called.
    pub blanked_at: Option<Timestamp>,
}

impl Subject {
    /// Tells whether the person was erased, and plain columns of the trail may still tell of it: they were never emptied, or so soon
    /// that a node which had not heard yet may have written some more.
    pub fn is_unfinished(&self) -> bool {
        self.erased_at.is_some_and(|erased| {
            let heard = erased.as_microsecond().saturating_add(HEARD_MICROSECONDS);
            self.blanked_at.is_none_or(|blanked| blanked.as_microsecond() < heard)
        })
    }
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject").field("pseudonym", &self.pseudonym).finish_non_exhaustive()
    }
}

/// Finds a person by the name to log in with.
pub async fn find(r: &Reader, name: &str) -> Result<Option<Subject>> {
    r.query_opt(
        "SELECT pseudonym, name, sealed, created_at, erased_at, blanked_at FROM subject WHERE name = $1",
        params![name],
        read,
    )
    .await
}

/// Finds a person by the name in logs.
pub async fn find_by_pseudonym(r: &Reader, pseudonym: &str) -> Result<Option<Subject>> {
    r.query_opt(
        "SELECT pseudonym, name, sealed, created_at, erased_at, blanked_at FROM subject WHERE pseudonym = $1",
        params![pseudonym],
        read,
    )
    .await
}

/// Finds the names to log in with of those who are among the names in logs; what is no pseudonym, or nobody's any more, has none.
pub async fn names_of(
    r: &Reader,
    logged: impl IntoIterator<Item = String>,
) -> Result<BTreeMap<String, String>> {
    let asked: BTreeSet<String> = logged.into_iter().filter(|logged| logged.starts_with(PSEUDONYM)).collect();
    let mut names = BTreeMap::new();
    for logged in asked {
        if let Some(name) = find_by_pseudonym(r, &logged).await?.and_then(|person| person.name) {
            names.insert(logged, name);
        }
    }
    Ok(names)
}

/// Adds a person. Returns the one of that name: another, if somebody was first.
pub async fn ensure(
    tx: &mut Tx,
    name: &str,
    pseudonym: &str,
    sealed: &[u8],
    now: Timestamp,
) -> Result<Option<Subject>> {
    if let Some(found) = find(tx, name).await? {
        return Ok(Some(found));
    }
    tx.post(
        "INSERT INTO subject (pseudonym, name, sealed, created_at) VALUES ($1, $2, $3, $4)",
        params![pseudonym, name, sealed, now],
    )
    .await?;
    find(tx, name).await
}

/// Forgets who a person was, and the key. Returns the name in logs; `None` if nobody has this name.
pub async fn erase(tx: &mut Tx, name: &str, now: Timestamp) -> Result<Option<String>> {
    tx.query_opt(
        "UPDATE subject SET name = NULL, sealed = NULL, erased_at = $1 WHERE name = $2 RETURNING pseudonym",
        params![now, name],
        |row| row.text(0).map(ToOwned::to_owned),
    )
    .await
}

/// Lists the names in logs of those who were erased at `since` or later.
pub async fn list_erased(r: &Reader, since: Timestamp, limit: usize) -> Result<Vec<(String, Timestamp)>> {
    r.query(
        "SELECT pseudonym, erased_at FROM subject WHERE erased_at >= $1 ORDER BY erased_at LIMIT $2",
        params![since, limit],
        |row| Ok((row.text(0)?.to_owned(), row.time(1)?)),
    )
    .await
}

/// Lists the names in logs of those whose name or key is not there any more, behind a name, in order.
pub async fn list_forgotten(r: &Reader, after: &str, limit: usize) -> Result<Vec<String>> {
    r.query(
        "SELECT pseudonym FROM subject
          WHERE pseudonym > $1 AND (name IS NULL OR sealed IS NULL OR erased_at IS NOT NULL)
          ORDER BY pseudonym LIMIT $2",
        params![after, limit],
        |row| row.text(0).map(ToOwned::to_owned),
    )
    .await
}

/// Lists the names in logs of those who were erased at `before` or earlier, as far as that is unfinished, and whether nobody has emptied
/// the columns yet.
pub async fn list_unfinished(r: &Reader, before: Timestamp, limit: usize) -> Result<Vec<(String, bool)>> {
    r.query(
        "SELECT pseudonym, blanked_at FROM subject
          WHERE erased_at <= $1 AND (blanked_at IS NULL OR blanked_at < erased_at + $2) ORDER BY erased_at LIMIT $3",
        params![before, HEARD_MICROSECONDS, limit],
        |row| Ok((row.text(0)?.to_owned(), row.time_opt(1)?.is_none())),
    )
    .await
}

/// Notes that no plain column of the trail says any more from where somebody called who was erased.
pub async fn blanked(tx: &mut Tx, pseudonym: &str, now: Timestamp) -> Result<()> {
    tx.post(
        "UPDATE subject SET blanked_at = $1 WHERE pseudonym = $2 AND erased_at IS NOT NULL",
        params![now, pseudonym],
    )
    .await
}

/// Lists the names of persons with their names in logs, behind a name, in order.
pub async fn list_named(r: &Reader, after: &str, limit: usize) -> Result<Vec<(String, String)>> {
    r.query(
        "SELECT name, pseudonym FROM subject WHERE name > $1 ORDER BY name LIMIT $2",
        params![after, limit],
        |row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned())),
    )
    .await
}

fn read(row: &Row<'_>) -> Result<Subject> {
    Ok(Subject {
        pseudonym: row.text(0)?.to_owned(),
        name: row.text_opt(1)?.map(ToOwned::to_owned),
        sealed: row.bytes_opt(2)?.map(<[u8]>::to_vec),
        created_at: row.time(3)?,
        erased_at: row.time_opt(4)?,
        blanked_at: row.time_opt(5)?,
    })
}
