//! Lists from a standby: only what is as good as the primary's.

use std::time::Duration;

use berth_catalog::{Catalog, Clock, PostgresConfig, ReplicaStats, tag};
use berth_engines::{Postgres, PostgresPair};
use berth_oci::Tag;
use jiff::Timestamp;
use tokio::task::block_in_place;

use crate::{Fixture, Place, config, eventually, name};

async fn tags(node: &Catalog) -> Vec<String> {
    let name = name("app");
    let listed = node.list(async |r| tag::list(r, &name, "", 100).await).await.unwrap();
    listed.iter().map(Tag::to_string).collect()
}

/// How many lists came from the standby and from the primary since.
fn since(node: &Catalog, before: ReplicaStats) -> (u64, u64) {
    let now = node.replica_stats().unwrap();
    (now.served - before.served, now.passed - before.passed)
}

/// Lists again and again until the standby has answered.
async fn until_served(node: &Catalog) {
    eventually("the standby answers", async || {
        let before = node.replica_stats().unwrap();
        tags(node).await;
        since(node, before).0 == 1
    })
    .await;
}

async fn node(config: &PostgresConfig) -> Fixture {
    let clock = Clock::manual(Timestamp::from_second(1_700_000_000).unwrap());
    let catalog = Catalog::connect(config, clock.clone()).await.unwrap();
    Fixture { catalog, clock, place: Place::Database(config.url.clone()) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_list_shows_every_push_before_it_whoever_answers() {
    let pair = block_in_place(PostgresPair::start);
    let url = block_in_place(|| pair.database());
    let database = url.rsplit('/').next().unwrap().split('?').next().unwrap();
    let standby = pair.standby().url(database);
    let config = PostgresConfig { replica_url: Some(standby.clone()), ..config(&url) };
    let (lists, pushes) = (node(&config).await, node(&config).await);
    let app = name("app");
    pushes.push_manifest(&app, "m", &[], &["t0"]).await;
    until_served(&lists.catalog).await;

    // Pushed on one node, listed on another, which the standby may or may not be fit for yet.
    let before = lists.catalog.replica_stats().unwrap();
    let mut expected = vec!["t0".to_owned()];
    for round in 1..30 {
        let tag = format!("t{round}");
        pushes.push_manifest(&app, "m", &[], &[&tag]).await;
        expected.push(tag);
        expected.sort();
        assert_eq!(tags(&lists.catalog).await, expected, "round {round}");
    }
    println!("served and passed over after pushes: {:?}", since(&lists.catalog, before));

    // One that no longer replays is passed over.
    block_in_place(|| Postgres::query(&standby, "SELECT pg_wal_replay_pause()"));
    eventually("it is paused", async || {
        block_in_place(|| Postgres::query(&standby, "SELECT pg_get_wal_replay_pause_state()")) == "paused"
    })
    .await;
    pushes.push_manifest(&app, "m", &[], &["u"]).await;
    expected.push("u".into());
    let before = lists.catalog.replica_stats().unwrap();
    for _ in 0..20 {
        assert_eq!(tags(&lists.catalog).await, expected);
    }
    assert_eq!(since(&lists.catalog, before), (0, 20));
    block_in_place(|| Postgres::query(&standby, "SELECT pg_wal_replay_resume()"));
    until_served(&lists.catalog).await;

    // Without the standby, and with one that is the primary now.
    block_in_place(|| pair.standby().stop());
    let admin = pair.primary().url("postgres");
    block_in_place(|| Postgres::query(&admin, "ALTER SYSTEM RESET synchronous_standby_names"));
    block_in_place(|| Postgres::query(&admin, "SELECT pg_reload_conf()"));
    assert_eq!(tags(&lists.catalog).await, expected);
    block_in_place(|| pair.standby().start());
    until_served(&lists.catalog).await;
    block_in_place(|| pair.kill_primary());
    block_in_place(|| pair.promote());
    pushes.push_manifest(&app, "m", &[], &["v"]).await;
    expected.push("v".into());
    let before = lists.catalog.replica_stats().unwrap();
    assert_eq!(tags(&lists.catalog).await, expected);
    assert_eq!(since(&lists.catalog, before), (0, 1), "it is no standby any more");
}

/// A standby of another database, or none at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_standby_of_this_database_answers_nothing() {
    let (url, other) = (Postgres::shared().database(), Postgres::shared().database());
    for wrong in [&url, &other, "postgres://berth@127.0.0.1:1/nothing"] {
        let config = PostgresConfig { replica_url: Some(wrong.to_owned()), ..config(&url) };
        let node = node(&config).await;
        node.push_manifest(&name("app"), "m", &[], &["1"]).await;
        let start = std::time::Instant::now();
        for _ in 0..5 {
            assert_eq!(tags(&node.catalog).await, ["1"]);
        }
        assert!(start.elapsed() < Duration::from_secs(3), "{wrong}: {:?}", start.elapsed());
        assert_eq!(node.catalog.replica_stats().unwrap(), ReplicaStats { served: 0, passed: 5 });
    }
}
