//! The catalog through its public face, on a real file.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what is wrong by panicking"
)]

mod access;
mod accounts;
mod collection;
mod ended;
mod events;
mod export;
mod imported;
mod jobs;
mod join;
mod memory;
mod mode;
mod moving;
mod nodes;
mod outage;
mod races;
mod replica;
mod schema;
mod seal;
mod sealed;
mod sessions;
mod statements;
mod trail;
mod trail_hours;
mod units;

use std::time::{Duration, Instant};

use berth_catalog::{Catalog, Clock, Error, PostgresConfig, blob, manifest, repository, tag};
use berth_engines::Postgres;
use berth_oci::{Algorithm, Digest, RepositoryName, Tag};
use bytes::Bytes;
use jiff::Timestamp;
use tempfile::TempDir;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    Sqlite,
    Postgres,
}

/// Makes two tests of each function: one on SQLite, one on PostgreSQL.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::On::Sqlite).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::On::Postgres).await;
            })*
        }
    };
}
use on_both;

/// Where a catalog lies.
#[derive(Debug)]
enum Place {
    Directory(TempDir),
    Database(String),
}

impl Place {
    fn new(on: On) -> Self {
        match on {
            On::Sqlite => Self::Directory(TempDir::new().unwrap()),
            On::Postgres => Self::Database(Postgres::shared().database()),
        }
    }

    async fn open(&self, clock: Clock) -> Result<Catalog, Error> {
        match self {
            Self::Directory(directory) => Catalog::open(&directory.path().join("catalog.db"), clock),
            Self::Database(url) => Catalog::connect(&config(url), clock).await,
        }
    }
}

/// Says how to connect to a database of these tests.
fn config(url: &str) -> PostgresConfig {
    PostgresConfig { pool: 8, patience: PATIENCE, ..PostgresConfig::new(url) }
}

/// A catalog of its own, under a clock that stands still.
#[derive(Debug)]
struct Fixture {
    catalog: Catalog,
    clock: Clock,
    place: Place,
}

impl Fixture {
    async fn new(on: On) -> Self {
        let clock = Clock::manual(Timestamp::from_second(1_700_000_000).unwrap());
        let place = Place::new(on);
        let catalog = place.open(clock.clone()).await.unwrap();
        Self { catalog, clock, place }
    }

    /// Opens the same catalog after its process has ended.
    async fn restart(self) -> Self {
        let Self { catalog, clock, place } = self;
        drop(catalog);
        let catalog = place.open(clock.clone()).await.unwrap();
        Self { catalog, clock, place }
    }

    /// Opens the same catalog beside the process that serves it, as a command does.
    async fn visit(&self) -> Catalog {
        match &self.place {
            Place::Directory(directory) => {
                Catalog::join(&directory.path().join("catalog.db"), self.clock.clone()).unwrap()
            }
            Place::Database(url) => Catalog::visit(&config(url), self.clock.clone()).await.unwrap(),
        }
    }

    /// Changes the database behind the catalog's back, as someone with it in hand would.
    fn alter(&self, sql: &str) {
        match &self.place {
            Place::Directory(directory) => {
                let connection = rusqlite::Connection::open(directory.path().join("catalog.db")).unwrap();
                connection.execute_batch(sql).unwrap();
            }
            Place::Database(url) => drop(Postgres::query(url, sql)),
        }
    }

    /// Waits until the log holds the event at `position`: on PostgreSQL it does so shortly after the commit.
    async fn wait_until_sealed(&self, position: i64) {
        let mut sealed = self.catalog.sealed();
        let waiting = sealed.wait_for(|sealed| *sealed >= position);
        tokio::time::timeout(PATIENCE, waiting).await.expect("the events are sealed").unwrap();
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
                let placement = blob::Placement::Inline(bytes.clone());
                blob::insert(tx, &repository, &digest, size, Some(&placement), now).await
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
                    content: content.clone(),
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

/// Waits until something is so.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
