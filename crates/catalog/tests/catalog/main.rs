//! The catalog through its public face, on a real file.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by panicking")]

mod collection;
mod events;
mod export;
mod jobs;
mod join;
mod statements;
mod units;

use berth_catalog::{Catalog, Clock, Error, blob, manifest, repository, tag};
use berth_oci::{Algorithm, Digest, RepositoryName, Tag};
use bytes::Bytes;
use jiff::Timestamp;
use tempfile::TempDir;

/// A catalog in a directory of its own.
struct Fixture {
    catalog: Catalog,
    clock: Clock,
    dir: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let clock = Clock::manual(Timestamp::from_second(1_700_000_000).unwrap());
        let catalog = Catalog::open(&dir.path().join("catalog.db"), clock.clone()).unwrap();
        Self { catalog, clock, dir }
    }

    /// Opens the file beside the catalog, as someone with the database in hand would.
    fn raw(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.dir.path().join("catalog.db")).unwrap()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Pushes an inline blob.
    async fn push_blob(&self, name: &RepositoryName, content: &str) -> Digest {
        let (name, now) = (name.clone(), self.now());
        let bytes = Bytes::from(content.to_owned());
        let digest = digest(content);
        self.catalog
            .write(async move |tx| {
                let repository = repository::ensure(tx, &name, now).await?;
                let size = bytes.len() as u64;
                blob::insert(tx, &repository, &digest, size, Some(&blob::Placement::Inline(bytes)), now).await
            })
            .await
            .unwrap_or_else(|error: Error| panic!("{error}"));
        digest
    }

    /// Pushes a manifest that names blobs already pushed, under tags.
    async fn push_manifest(
        &self,
        name: &RepositoryName,
        content: &str,
        blobs: &[Digest],
        tags: &[&str],
    ) -> Digest {
        let (name, now, blobs) = (name.clone(), self.now(), blobs.to_vec());
        let tags: Vec<Tag> = tags.iter().map(|tag| tag.parse().unwrap()).collect();
        let content = Bytes::from(content.to_owned());
        let digest = Digest::of(Algorithm::Sha256, &content);
        self.catalog
            .write(async move |tx| {
                let repository = repository::ensure(tx, &name, now).await?;
                let mut ids = Vec::new();
                for blob in &blobs {
                    ids.push(berth_catalog::link::find(tx, &repository, blob).await?.unwrap().0);
                }
                let new = manifest::New {
                    digest,
                    media_type: "application/vnd.oci.image.manifest.v1+json".into(),
                    referrer: None,
                    content,
                    blobs: ids,
                    missing: Vec::new(),
                    children: Vec::new(),
                    depth: 1,
                };
                let (id, _) = manifest::insert(tx, &repository, &new, now).await?;
                for tag in &tags {
                    tag::move_to(tx, &repository, tag, id, now).await?;
                }
                Ok::<_, Error>(())
            })
            .await
            .unwrap();
        digest
    }
}

fn digest(content: &str) -> Digest {
    Digest::of(Algorithm::Sha256, content.as_bytes())
}

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}
