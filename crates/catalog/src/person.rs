//! Who stands behind the pseudonyms of the logs.

use crate::driver::{Reader, params};
use crate::error::Result;

/// A person who was not erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Place in the table.
    pub id: i64,
    /// The random name that logs have.
    pub pseudonym: String,
    /// The name to log in with.
    pub name: String,
}

/// Finds the name behind a pseudonym.
pub async fn find_name(r: &Reader, pseudonym: &str) -> Result<Option<String>> {
    let found = r.query_opt("SELECT name FROM subject WHERE pseudonym = $1", params![pseudonym], |row| {
        Ok(row.text_opt(0)?.map(ToOwned::to_owned))
    });
    Ok(found.await?.flatten())
}

/// Finds the pseudonym that a name stands under.
pub async fn find_pseudonym(r: &Reader, name: &str) -> Result<Option<String>> {
    r.query_opt("SELECT pseudonym FROM subject WHERE name = $1", params![name], |row| Ok(row.text(0)?.to_owned())).await
}

/// Lists persons behind the place `id`.
pub async fn list(r: &Reader, id: i64, limit: usize) -> Result<Vec<Person>> {
    r.query(
        "SELECT id, pseudonym, name FROM subject WHERE id > $1 AND name IS NOT NULL ORDER BY id LIMIT $2",
        params![id, limit],
        |row| Ok(Person { id: row.int(0)?, pseudonym: row.text(1)?.to_owned(), name: row.text(2)?.to_owned() }),
    )
    .await
}
