//! What nodes may serve from memory: nothing that another has withdrawn and said so.

use std::time::{Duration, Instant};

use berth_catalog::{Catalog, manifest, repository, tag};
use berth_oci::{Digest, RepositoryName};

use crate::outage::behind;
use crate::{Fixture, On, eventually, name};

async fn generation(node: &Catalog, name: &RepositoryName) -> u64 {
    eventually("a generation", async || node.generation(name).is_some()).await;
    node.generation(name).unwrap_or_default()
}

async fn delete(fixture: &Fixture, gone: Digest) {
    let now = fixture.now();
    fixture
        .catalog
        .write(async move |tx| {
            let repository = repository::find(tx, &name("app")).await?.unwrap();
            let id = manifest::find_id(tx, &repository, &gone).await?.unwrap();
            manifest::delete(tx, &repository, id, now).await
        })
        .await
        .unwrap();
    fixture.catalog.forgotten().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_deleted_no_other_serves_after_its_answer() {
    let fixture = Fixture::new(On::Postgres).await;
    let other = fixture.place.open(fixture.clock.clone()).await.unwrap();
    let app = name("app");
    for round in 0..10 {
        let pushed = fixture.push_manifest(&app, &format!("manifest {round}"), &[], &[]).await;
        let known = generation(&other, &app).await;
        delete(&fixture, pushed).await;
        assert_ne!(other.generation(&app), Some(known), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_that_went_is_withdrawn_too() {
    let fixture = Fixture::new(On::Postgres).await;
    let other = fixture.place.open(fixture.clock.clone()).await.unwrap();
    let app = name("app");
    fixture.push_manifest(&app, "manifest", &[], &["1"]).await;
    let (known, now) = (generation(&other, &app).await, fixture.now());
    fixture
        .catalog
        .write(async move |tx| {
            let repository = repository::find(tx, &name("app")).await?.unwrap();
            tag::delete(tx, &repository, &"1".parse().unwrap(), now).await
        })
        .await
        .unwrap();
    fixture.catalog.forgotten().await;
    assert_ne!(other.generation(&app), Some(known), "its manifest waits for a review that a pull puts off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_empties_no_memory_elsewhere() {
    let fixture = Fixture::new(On::Postgres).await;
    let other = fixture.place.open(fixture.clock.clone()).await.unwrap();
    let app = name("app");
    let known = generation(&other, &app).await;
    let here = generation(&fixture.catalog, &app).await;
    fixture.push_manifest(&app, "manifest", &[], &["1"]).await;
    assert!(generation(&fixture.catalog, &app).await > here, "its own node reads anew");
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(generation(&other, &app).await, known);
}

/// A node that hears nothing any more can't be told: it must stop by itself in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_serves_nothing_from_memory() {
    for frozen in [false, true] {
        let fixture = Fixture::new(On::Postgres).await;
        let (link, other) = behind(&fixture, Duration::from_secs(3)).await;
        let app = name("app");
        let pushed = fixture.push_manifest(&app, "manifest", &[], &[]).await;
        let known = generation(&other, &app).await;
        tokio::task::block_in_place(|| if frozen { link.freeze() } else { link.cut() });
        delete(&fixture, pushed).await;
        assert_eq!(other.generation(&app), None, "frozen: {frozen}");
        tokio::task::block_in_place(|| link.mend());
        assert_ne!(generation(&other, &app).await, known, "frozen: {frozen}");
    }
}

#[tokio::test]
async fn one_process_has_nobody_to_wait_for() {
    let fixture = Fixture::new(On::Sqlite).await;
    let start = Instant::now();
    fixture.catalog.forgotten().await;
    assert!(start.elapsed() < Duration::from_millis(50));
    assert!(fixture.catalog.generation(&name("app")).is_some());
    assert!(!fixture.catalog.is_shared());
    assert!(Fixture::new(On::Postgres).await.catalog.is_shared());
}
