//! The audit trail on real databases: kept, verified, archived, erased, and tampered with.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by panicking")]

mod archive;
mod erasure;
mod events;
mod persons;
mod recording;
mod room;
mod tampering;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use berth_access::{Caller, Origin, Persons};
use berth_audit::verify::{Damage, Report, Request, verify};
use berth_audit::{Action, Audit, Config, Follower, Note, Outcome, Place, SigningKeys, Who};
use berth_catalog::event::{self, Author, Kind, NewEvent};
use berth_catalog::trail::{self, Record, Trail};
use berth_catalog::{Catalog, Clock, Error, PostgresConfig};
use berth_engines::Postgres;
use berth_vault::{Key, Vault};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// Makes the trail unusable, and usable again.
const BREAK: &str = "ALTER TABLE trail_head RENAME TO trail_gone";
const MEND: &str = "ALTER TABLE trail_gone RENAME TO trail_head";

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

/// A registry's catalog and trail.
struct Fixture {
    directory: TempDir,
    url: Option<String>,
    clock: Clock,
    catalog: Catalog,
    trail: Trail,
    vault: Vault,
    persons: Persons,
}

/// A trail that is being kept.
struct Kept {
    audit: Audit,
    stop: watch::Sender<bool>,
    task: JoinHandle<berth_audit::Result<()>>,
}

impl Kept {
    async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap().unwrap();
    }
}

impl Fixture {
    async fn new(on: On) -> Self {
        Self::under(on, Clock::system()).await
    }

    async fn under(on: On, clock: Clock) -> Self {
        let directory = TempDir::new().unwrap();
        let url = (on == On::Postgres).then(|| Postgres::shared().database());
        let (catalog, trail) = open(directory.path(), url.as_deref(), &clock).await;
        let vault = Vault::new(&[Key::generate().unwrap()], &[]).unwrap();
        let persons = Persons::new(catalog.clone(), vault.clone());
        Self { directory, url, clock, catalog, trail, vault, persons }
    }

    /// Another node on the same database, or another process on the same files.
    async fn other(&self) -> (Catalog, Trail) {
        if self.url.is_some() {
            return open(self.directory.path(), self.url.as_deref(), &self.clock).await;
        }
        let file = |name: &str| self.directory.path().join(name);
        let catalog = Catalog::join(&file("catalog.db"), self.clock.clone()).unwrap();
        (catalog, Trail::join(&file("audit.db"), self.clock.clone()).unwrap())
    }

    fn follower(&self) -> Follower {
        Follower::new(self.catalog.clone(), self.trail.clone(), self.persons.clone())
    }

    async fn keys(&self) -> SigningKeys {
        SigningKeys::open(&self.catalog, &self.vault).await.unwrap()
    }

    async fn audit(&self, config: &Config) -> Audit {
        let place = Place {
            spool: Some(self.directory.path().to_owned()),
            archive: Some(self.directory.path().join("archive")),
        };
        let (trail, persons, vault) = (self.trail.clone(), self.persons.clone(), self.vault.clone());
        Audit::open(config, &self.catalog, trail, persons, vault, place).await.unwrap()
    }

    async fn keep(&self, config: &Config) -> Kept {
        let audit = self.audit(config).await;
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(audit.clone().run(stopped));
        Kept { audit, stop, task }
    }

    /// Changes the trail behind everybody's back, as someone with the database in hand would.
    fn alter(&self, sql: &str) {
        if let Some(url) = &self.url {
            return drop(Postgres::query(url, sql));
        }
        self.alter_file("audit.db", sql);
    }

    /// The same with the catalog.
    fn alter_catalog(&self, sql: &str) {
        if let Some(url) = &self.url {
            return drop(Postgres::query(url, sql));
        }
        self.alter_file("catalog.db", sql);
    }

    fn alter_file(&self, file: &str, sql: &str) {
        let connection = rusqlite::Connection::open(self.directory.path().join(file)).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    async fn records(&self) -> Vec<Record> {
        self.trail
            .read(async |r| trail::list(r, 0, 100_000).await)
            .await
            .unwrap_or_else(|error: Error| panic!("{error}"))
    }

    /// Verifies against everything there is.
    async fn verify(&self) -> Report {
        let keys = self.keys().await.public();
        let request = Request {
            keys,
            persons: Some(&self.persons),
            catalog: Some(&self.catalog),
            ..Request::default()
        };
        verify(&self.trail, &request).await.unwrap()
    }

    /// Appends events of one author.
    async fn events(&self, count: usize, author: &Author) {
        let before = *self.catalog.sealed().borrow();
        for n in 0..count {
            let event = NewEvent {
                id: uuid::Uuid::new_v4(),
                at: self.clock.now(),
                kind: Kind::TagMoved,
                repository: Some("library/app".parse().unwrap()),
                tag: Some(format!("v{n}").parse().unwrap()),
                digest: None,
                author: author.clone(),
                detail: serde_json::json!({ "previous": null }),
            };
            self.catalog
                .write(async move |tx| {
                    event::append(tx, event.clone()).await;
                    Ok::<_, Error>(())
                })
                .await
                .unwrap();
        }
        let mut sealed = self.catalog.sealed();
        let end = before + i64::try_from(count).unwrap();
        tokio::time::timeout(PATIENCE, sealed.wait_for(|sealed| *sealed >= end)).await.unwrap().unwrap();
    }
}

async fn open(directory: &Path, url: Option<&str>, clock: &Clock) -> (Catalog, Trail) {
    match url {
        Some(url) => {
            let settings = PostgresConfig { patience: PATIENCE, ..PostgresConfig::new(url) };
            let catalog = Catalog::connect(&settings, clock.clone()).await.unwrap();
            (catalog, Trail::connect(&settings, clock.clone()).await.unwrap())
        }
        None => (
            Catalog::open(&directory.join("catalog.db"), clock.clone()).unwrap(),
            Trail::open(&directory.join("audit.db"), clock.clone()).unwrap(),
        ),
    }
}

/// A pull of a tag.
fn pull(at: Timestamp, caller: Caller, tag: &str) -> Note {
    let origin = Arc::new(Origin::new([192, 0, 2, 7].into(), Some("docker/28.3"), &format!("req-{tag}")));
    Note {
        at,
        action: Action::Pull,
        outcome: Outcome::Success,
        who: Who::Caller(caller),
        origin,
        repository: Some("library/app".parse().unwrap()),
        tag: Some(tag.to_owned()),
        digest: None,
        status: Some(200),
        reason: None,
        part: None,
        called: None,
    }
}

fn kinds(damage: &[Damage]) -> Vec<(i64, &'static str)> {
    damage.iter().map(|damage| (damage.position, damage.kind.as_str())).collect()
}

/// Waits until something is so.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
