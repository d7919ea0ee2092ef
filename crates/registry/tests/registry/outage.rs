//! A node whose database or store goes: what it pulled before is served, labelled, and only for so long.

use std::sync::Arc;
use std::time::Duration;

use berth_blobs::Blobs;
use berth_blobs::testing::{Failure, Fault, Operation};
use berth_catalog::{Catalog, PostgresConfig, blob};
use berth_engines::{Link, Postgres};
use berth_oci::{Digest, Reference};
use berth_registry::{Error, Freshness, Known, Registry, Result, Storage};
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use crate::fixture::{Fixture, On, large, name, refer};

/// A node on the fixture's catalog and store, on a line that can be cut.
struct Node {
    registry: Registry,
    link: Link,
}

impl Node {
    async fn new(fixture: &Fixture, blobs: Arc<dyn Blobs>, serve_stale_seconds: u64) -> Self {
        let server = Postgres::shared().address();
        let link = Link::to(server);
        let url = fixture.url().replace(&server.to_string(), &link.address().to_string());
        let config = PostgresConfig { patience: Duration::from_secs(1), ..PostgresConfig::new(&url) };
        let catalog = Catalog::connect(&config, fixture.clock.clone()).await.unwrap();
        let storage = Storage { serve_stale_seconds, ..Storage::default() };
        let config = berth_registry::Config { storage, ..Default::default() };
        let node = Self { registry: Registry::new(catalog, blobs, config), link };
        // What was pulled before it first heard from the others is not remembered.
        node.wait(async || node.registry.catalog().generation(&name("app")).is_some()).await;
        node
    }

    async fn wait(&self, until: impl AsyncFn() -> bool) {
        let start = Instant::now();
        while !until().await {
            assert!(start.elapsed() < Duration::from_secs(20), "it takes too long");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Cuts the line, and waits until nobody waits for it any more.
    async fn lose(&self) {
        block_in_place(|| self.link.cut());
        self.wait(async || self.registry.catalog().outage().is_some_and(|outage| !outage.waited_out)).await;
    }

    async fn pull(&self, fixture: &Fixture, reference: &Reference) -> Result<Known<Digest>> {
        let pulled = self.registry.pull_manifest(&fixture.may("app"), reference).await?;
        Ok(Known { content: pulled.content.digest, freshness: pulled.freshness })
    }
}

fn age<T: std::fmt::Debug>(known: &Known<T>) -> Duration {
    match known.freshness {
        Freshness::Stale(age) => age,
        Freshness::Current => panic!("{known:?} is not stale"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_pulled_is_recalled_until_it_is_too_old_and_nothing_else() {
    let fixture = Fixture::new(On::Postgres).await;
    let node = Node::new(&fixture, fixture.blobs(), 4).await;
    let digest = fixture.push_image("app", "1", &[b"layer"]).await;
    fixture.push_image("app", "2", &[b"another"]).await;
    let (small, big) = (fixture.push_blob("app", b"small").await, fixture.push_blob("app", &large(1)).await);
    // By tag only: what it names can be recalled by digest, too.
    let (tag, by_digest) = (refer("1"), Reference::from(digest));
    assert_eq!(node.pull(&fixture, &tag).await.unwrap().freshness, Freshness::Current);
    for blob in [&small, &big] {
        node.registry.pull_blob(&fixture.may("app"), blob).await.unwrap();
    }

    let begun = Instant::now();
    node.lose().await;
    let permit = fixture.may("app");
    for reference in [&tag, &by_digest] {
        let recalled = node.pull(&fixture, reference).await.unwrap();
        assert_eq!(recalled.content, digest, "{reference}");
        assert!(age(&recalled) < Duration::from_secs(4), "{reference}: {recalled:?}");
        node.registry.stat_manifest(&permit, reference).await.unwrap();
    }
    for (blob, size) in [(&small, 5), (&big, 100_000)] {
        let recalled = node.registry.pull_blob(&permit, blob).await.unwrap();
        assert_eq!(
            (recalled.content.size, node.registry.stat_blob(&permit, blob).await.unwrap().content),
            (size, size)
        );
        age(&recalled);
    }
    // Pulled by nobody here: refused, and at once.
    let start = Instant::now();
    for unknown in [refer("2"), refer("3")] {
        let pulled = node.pull(&fixture, &unknown).await;
        assert!(matches!(pulled, Err(Error::Unavailable(_))), "{unknown}: {pulled:?}");
    }
    let elsewhere = node.registry.pull_blob(&fixture.may("other"), &small).await;
    assert!(matches!(elsewhere, Err(Error::Unavailable(_))), "{elsewhere:?}");
    // Waiting, each of the three would have taken a second.
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let health = node.registry.health().await;
    assert!(health.is_ready && health.database.is_some() && health.storage.is_none(), "{health:?}");

    node.wait(async || node.pull(&fixture, &by_digest).await.is_err()).await;
    assert!(begun.elapsed() > Duration::from_secs(3), "{:?}", begun.elapsed());
    node.wait(async || node.registry.pull_blob(&permit, &small).await.is_err()).await;
    assert!(!node.registry.health().await.is_ready);

    block_in_place(|| node.link.mend());
    node.wait(async || {
        node.pull(&fixture, &tag).await.is_ok_and(|known| known.freshness == Freshness::Current)
    })
    .await;
    let health = node.registry.health().await;
    assert!(health.is_ready && health.database.is_none(), "{health:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_knows_to_be_withdrawn_it_does_not_recall() {
    let fixture = Fixture::new(On::Postgres).await;
    let node = Node::new(&fixture, fixture.blobs(), 60).await;
    let gone = fixture.push_image("app", "1", &[b"layer"]).await;
    node.pull(&fixture, &refer("1")).await.unwrap();
    // By another node, of which this one hears.
    fixture.registry.delete_manifest(&fixture.may("app"), &gone).await.unwrap();
    let kept = fixture.push_image("app", "2", &[b"another"]).await;
    node.pull(&fixture, &refer("2")).await.unwrap();
    node.lose().await;
    for reference in [refer("1"), gone.into()] {
        let pulled = node.pull(&fixture, &reference).await;
        assert!(matches!(pulled, Err(Error::Unavailable(_))), "{reference}: {pulled:?}");
    }
    assert_eq!(node.pull(&fixture, &kept.into()).await.unwrap().content, kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn off_means_off() {
    let fixture = Fixture::new(On::Postgres).await;
    let node = Node::new(&fixture, fixture.blobs(), 0).await;
    let digest = fixture.push_image("app", "1", &[b"layer"]).await;
    node.pull(&fixture, &digest.into()).await.unwrap();
    block_in_place(|| node.link.cut());
    node.wait(async || node.registry.catalog().outage().is_some()).await;
    assert!(node.registry.health().await.is_ready, "a failover is waited for");
    node.lose().await;
    let pulled = node.pull(&fixture, &digest.into()).await;
    assert!(matches!(pulled, Err(Error::Unavailable(_))), "{pulled:?}");
    assert!(!node.registry.health().await.is_ready, "there is nothing that it could serve");
}

/// A service that is away is no fault of this node; a disk that fails is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_store_manifests_and_small_blobs_are_served() {
    let fixture = Fixture::new(On::Sqlite).await;
    let digest = fixture.push_image("app", "1", &[]).await;
    let (small, big) = (fixture.push_blob("app", b"small").await, fixture.push_blob("app", &large(1)).await);
    for operation in [Operation::Open, Operation::Writer, Operation::Publish, Operation::Capacity] {
        fixture.faults.plan(Fault::new(operation, Failure::Broken).times(u64::MAX));
    }
    for reference in ["1", &digest.to_string()] {
        assert_eq!(fixture.pull_manifest("app", reference).await.unwrap(), digest);
    }
    let permit = fixture.may("app");
    fixture.pull_blob("app", &small).await.unwrap();
    fixture.registry.stat_blob(&permit, &big).await.unwrap();
    assert!(fixture.pull_blob("app", &big).await.is_err());
    let damaged = fixture.registry.catalog().read(async |r| blob::totals(r).await).await;
    assert_eq!(damaged.unwrap().damaged, 0, "a store that is down says nothing about its blobs");
    let health = fixture.registry.health().await;
    assert!(!health.is_ready && health.storage.is_some(), "{health:?}");
    fixture.faults.clear();
    fixture.pull_blob("app", &big).await.unwrap();
    let start = Instant::now();
    while !fixture.registry.health().await.is_ready {
        assert!(start.elapsed() < Duration::from_secs(5), "it takes too long");
        sleep(Duration::from_millis(20)).await;
    }
}
