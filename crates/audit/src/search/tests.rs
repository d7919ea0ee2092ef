//! Searches over a few records, on both databases.

mod aggregations;
mod dashboards;
mod limits;
mod pages;
mod queries;

use std::sync::Arc;

use berth_catalog::trail::{self, Entry, Trail};
use berth_catalog::{Catalog, Clock, PostgresConfig, subject};
use berth_engines::Postgres;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Error, Search};

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    Sqlite,
    Postgres,
}

/// Makes two tests of each function.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&super::super::Fixture::new(super::super::On::Sqlite).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&super::super::Fixture::new(super::super::On::Postgres).await).await;
            })*
        }
    };
}
pub(super) use on_both;

/// The moment of every search here.
pub(super) const NOW: &str = "2026-11-27T10:00:00Z";

/// A trail of eight records. Their ids are `a` to `h`, in the order of time.
pub(super) struct Fixture {
    pub(super) search: Search,
    _directory: TempDir,
}

impl Fixture {
    pub(super) async fn new(on: On) -> Self {
        let clock = Clock::manual(NOW.parse().unwrap());
        let directory = TempDir::new().unwrap();
        let file = |name: &str| directory.path().join(name);
        let (catalog, trail) = match on {
            On::Sqlite => {
                let catalog = Catalog::open(&file("catalog.db"), clock.clone()).unwrap();
                (catalog, Trail::open(&file("audit.db"), clock.clone()).unwrap())
            }
            On::Postgres => {
                let settings =
                    PostgresConfig { pool: 4, ..PostgresConfig::new(Postgres::shared().database()) };
                let catalog = Catalog::connect(&settings, clock.clone()).await.unwrap();
                (catalog, Trail::connect(&settings, clock.clone()).await.unwrap())
            }
        };
        for (name, pseudonym) in [("alice", "person-one"), ("bob", "person-two")] {
            let now = clock.now();
            let add = catalog.write(async move |tx| subject::ensure(tx, name, pseudonym, b"key", now).await);
            add.await.unwrap();
        }
        let entries: Arc<[Entry]> = records().into();
        trail.write(async move |tx| trail::append(tx, &entries).await).await.unwrap();
        Self { search: Search::new(trail, catalog), _directory: directory }
    }

    /// Answers a search.
    pub(super) async fn ask(&self, body: Value) -> Value {
        self.search.search(&body, &[]).await.unwrap_or_else(|error| panic!("{error}: {body}"))
    }

    /// Refuses one.
    pub(super) async fn refuse(&self, body: Value) -> Error {
        match self.search.search(&body, &[]).await {
            Err(error) => error,
            Ok(answer) => panic!("{body} was answered: {answer}"),
        }
    }

    /// Returns the ids of the records that a query finds.
    pub(super) async fn ids(&self, query: Value) -> String {
        ids(&self.ask(json!({ "query": query, "size": 100 })).await)
    }
}

/// Returns the ids of an answer's hits, in their order.
pub(super) fn ids(answer: &Value) -> String {
    let hits = answer["hits"]["hits"].as_array().unwrap();
    hits.iter().map(|hit| hit["_id"].as_str().unwrap()).collect()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn records() -> Vec<Entry> {
    let entry =
        |id: &str, time: &str, action: &str, actor: &str, repository: &str, tag: &str, client: &str| {
            let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            Entry {
                id: id.into(),
                at: at(time),
                action: action.into(),
                outcome: "success".into(),
                actor: actor.into(),
                kind: if actor.starts_with("person-") { "user" } else { "robot" }.into(),
                proof: "password".into(),
                project: given(repository.split('/').next().unwrap_or_default()),
                repository: given(repository),
                tag: given(tag),
                digest: None,
                status: Some(200),
                request_id: Some(format!("request-{id}")),
                client: given(client),
                agent: Some(format!("docker/27.{id} 100%_[x]")),
                personal: None,
                detail: json!({ "previous": "none", "person": "person-two" }).to_string(),
                event: None,
            }
        };
    let mut records = vec![
        entry("a", "2026-09-30T23:59:59.999999Z", "push", "person-one", "library/nginx", "1.26", "192.0.2.7"),
        entry("b", "2026-11-25T10:00:00Z", "pull", "person-two", "library/nginx", "1.26", "192.0.2.200"),
        entry("c", "2026-11-26T10:00:00Z", "push", "robot+ci", "library/nginx", "1.27", "2001:db8::7"),
        entry("d", "2026-11-27T08:59:59.999999Z", "push", "person-one", "app/web", "v1", "10.1.2.3"),
        entry("e", "2026-11-27T09:00:00Z", "push", "person-one", "app/web", "v2", "10.1.2.3"),
        entry("f", "2026-11-27T09:30:00.000250Z", "push", "person-two", "app/api", "v1", "10.1.3.4"),
        entry("g", "2026-11-27T09:30:00.000750Z", "login", "person-two", "", "", "10.1.2.255"),
        entry("h", "2026-11-27T10:00:00Z", "pull", "robot+ci", "App-Data", "Ünï", ""),
    ];
    records[6].outcome = "failure".into();
    records[6].status = Some(401);
    records[7].status = None;
    records[7].agent = None;
    records
}
