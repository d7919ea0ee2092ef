//! Nodes and commands on one database: who makes the schema, and ways to the database.

use std::time::Duration;

use berth_catalog::{Catalog, Clock, Error, PostgresConfig, manifest, repository};
use berth_engines::{PgBouncer, Postgres, authority};
use futures_util::future::join_all;
use jiff::Timestamp;
use tempfile::TempDir;

use crate::{Fixture, On, Place, config, name};

fn clock() -> Clock {
    Clock::manual(Timestamp::from_second(1_700_000_000).unwrap())
}

/// Writes and reads, many at a time.
async fn work(node: &Catalog) {
    let now = node.clock().now();
    let units = (0..50).map(|n| {
        node.write(async move |tx| repository::ensure(tx, &name(&format!("r{}", n % 20)), now).await)
    });
    for outcome in join_all(units).await {
        outcome.unwrap();
    }
    let names: Vec<_> = (0..20).map(|n| name(&format!("r{n}"))).collect();
    let reads = names.iter().map(|name| node.read(async |r| repository::find(r, name).await));
    for outcome in join_all(reads).await {
        assert!(outcome.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_start_at_once_make_one_schema() {
    let url = Postgres::shared().database();
    let config = config(&url);
    let nodes = join_all((0..4).map(|_| Catalog::connect(&config, clock()))).await;
    for node in nodes {
        work(&node.unwrap()).await;
    }
    assert_eq!(Postgres::query(&url, "SELECT COUNT(*) - MAX(version) FROM migration"), "0");
}

#[tokio::test]
async fn a_command_makes_no_schema_and_works_beside_a_node() {
    let url = Postgres::shared().database();
    let refused = Catalog::visit(&config(&url), clock()).await;
    assert!(matches!(refused, Err(Error::Older { found: 0, .. })), "{refused:?}");
    assert!(Postgres::try_query(&url, "SELECT * FROM migration").is_err(), "it must leave an empty database");
    let node = Catalog::connect(&config(&url), clock()).await.unwrap();
    let command = Catalog::visit(&config(&url), clock()).await.unwrap();
    work(&command).await;
    work(&node).await;
    Postgres::query(&url, "INSERT INTO migration (version, applied_at) VALUES (99, 0)");
    let refused = Catalog::visit(&config(&url), clock()).await;
    assert!(matches!(refused, Err(Error::Newer { found: 99, .. })), "{refused:?}");
}

/// Connections change from one transaction to the next, and know no statement of another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pooler_may_stand_between() {
    let (cluster, url) = (Postgres::shared(), Postgres::shared().database());
    let pooler = PgBouncer::before(cluster, 3);
    let url = url.replace(&cluster.address().to_string(), &pooler.address().to_string());
    let config = PostgresConfig { prepared_statements: false, ..config(&url) };
    let nodes = join_all((0..2).map(|_| Catalog::connect(&config, clock()))).await;
    let nodes: Vec<Catalog> = nodes.into_iter().map(Result::unwrap).collect();
    join_all(nodes.iter().chain(&nodes).map(work)).await;
    let fixture = Fixture { catalog: nodes[0].clone(), clock: clock(), place: Place::Database(url) };
    let pushed = fixture.push_manifest(&name("app"), "manifest", &[], &["1"]).await;
    let found = nodes[1].read(async |r| manifest::find(r, &name("app"), &"1".parse().unwrap()).await).await;
    assert_eq!(found.unwrap().unwrap().digest, pushed);
}

#[tokio::test]
async fn a_private_authority_is_trusted_and_no_other() {
    let (trusted, certificate, key) = authority();
    let cluster = Postgres::with_tls(&certificate, &key);
    let directory = TempDir::new().unwrap();
    let file = |name: &str, content: &str| {
        std::fs::write(directory.path().join(name), content).unwrap();
        Some(directory.path().join(name))
    };
    let url = cluster.database();
    let required = format!("{url}?sslmode=require");
    let config = PostgresConfig { ca_file: file("right.crt", &trusted), ..config(&required) };
    let node = Catalog::connect(&config, clock()).await.unwrap();
    work(&node).await;
    let encrypted = "SELECT BOOL_AND(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                      WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert_eq!(Postgres::query(&url, encrypted), "t");

    let (other, ..) = authority();
    let config = PostgresConfig { patience: Duration::from_secs(3), ..config };
    for ca_file in [file("wrong.crt", &other), None] {
        let refused = Catalog::connect(&PostgresConfig { ca_file, ..config.clone() }, clock()).await;
        assert!(refused.is_err(), "a certificate of an authority that nobody named was taken");
    }
    let plain = Postgres::shared().database() + "?sslmode=require";
    let refused = Catalog::connect(&PostgresConfig { url: plain, ..config }, clock()).await;
    assert!(refused.is_err(), "a server without TLS was taken");
}

/// A pull by tag asks the database once, and opens no transaction.
#[tokio::test]
async fn a_read_costs_one_statement() {
    let fixture = Fixture::new(On::Postgres).await;
    let Place::Database(url) = &fixture.place else { panic!() };
    fixture.push_manifest(&name("app"), "manifest", &[], &["1"]).await;
    Postgres::query(url, "CREATE EXTENSION pg_stat_statements");
    let count = |what: &str| -> u64 {
        let sql = format!(
            "SELECT COALESCE(SUM(calls), 0) FROM pg_stat_statements AS s JOIN pg_database AS d ON d.oid = s.dbid
              WHERE d.datname = current_database() AND query {what}"
        );
        Postgres::query(url, &sql).parse().unwrap()
    };
    let (reads, transactions) = ("LIKE '%JOIN tag AS t%'", "ILIKE 'BEGIN%'");
    let before = (count(reads), count(transactions));
    for _ in 0..500 {
        let found = fixture
            .catalog
            .read(async |r| manifest::find(r, &name("app"), &"1".parse().unwrap()).await)
            .await
            .unwrap();
        assert!(found.is_some());
    }
    assert_eq!(count(reads) - before.0, 500);
    // The sealer looks after the log a few times a second.
    assert!(count(transactions) - before.1 < 100, "reads open transactions");
}
