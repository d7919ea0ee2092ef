//! The hot read: a manifest by its tag.

use std::sync::Arc;

use crate::driver::{Driver, Param, Result};
use crate::made_up::{self, MANIFESTS};

/// A manifest as it is served: digest, media type, bytes, and since when it waits for review (microseconds since the epoch).
pub(crate) type Stored = (String, Arc<str>, Vec<u8>, Option<i64>);

/// Repositories and tags to ask for, made before the clock starts.
#[derive(Debug)]
pub(crate) struct Questions(Vec<(String, String)>);

impl Questions {
    /// One for each tag.
    pub(crate) fn new() -> Self {
        Self((0..MANIFESTS).map(|serial| (made_up::repository(serial), made_up::tag(serial))).collect())
    }

    /// A repository and a tag of it, in no order.
    pub(crate) fn any(&self, serial: u64) -> (&str, &str) {
        let (repository, tag) = &self.0[made_up::scatter(serial) as usize % self.0.len()];
        (repository, tag)
    }
}

/// Finds a manifest by tag.
pub(crate) async fn manifest_by_tag<D: Driver>(
    driver: &mut D,
    repository: &str,
    tag: &str,
) -> Result<Stored> {
    let found = driver
        .find(
            "SELECT m.digest, m.media_type, m.content, m.questioned_at
               FROM repository AS r
               JOIN tag AS t ON t.repository_id = r.id
               JOIN manifest AS m ON m.id = t.manifest_id
              WHERE r.name = $1 AND t.name = $2",
            &[Param::Text(repository), Param::Text(tag)],
            |row| Ok((row.text(0)?.to_owned(), row.text(1)?.into(), row.bytes(2)?.to_vec(), row.int_opt(3)?)),
        )
        .await?;
    found.ok_or_else(|| "no such tag".into())
}
