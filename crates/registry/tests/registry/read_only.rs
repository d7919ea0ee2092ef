//! Read-only mode: nothing is written, pulls go on, and what waited is made up for.

use std::time::Duration;

use berth_catalog::{Tx, event, mode, moving, pull};
use berth_registry::{BodyResult, Error, Freshness};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;

use crate::fixture::{Fixture, On, body, large, name, refer, sha256};

/// Says it as `berth read-only` does.
async fn tell(fixture: &Fixture, read_only: bool) {
    let now = fixture.clock.now();
    fixture
        .registry
        .catalog()
        .write(async move |tx| mode::set_read_only(tx, read_only, now).await)
        .await
        .unwrap();
}

async fn a_node_follows_within_a_second(on: On) {
    let fixture = Fixture::new(on).await;
    let (stop, stopped) = watch::channel(false);
    let registry = fixture.registry.clone();
    let following = tokio::spawn(async move { registry.follow_mode(stopped).await });
    for read_only in [true, false] {
        tell(&fixture, read_only).await;
        let mut switch = fixture.registry.read_only().subscribe();
        let followed = switch.wait_for(|on| *on == read_only);
        tokio::time::timeout(Duration::from_secs(1), followed).await.unwrap().unwrap();
    }
    stop.send_replace(true);
    following.await.unwrap();
}

async fn an_upload_under_way_ends_and_goes_on_later_from_where_it_was_acknowledged(on: On) {
    let fixture = Fixture::new(on).await;
    let (content, permit) = (large(1), fixture.may("app"));
    let upload = fixture.registry.start_upload(&permit, None).await.unwrap();
    fixture.registry.append_upload(&permit, &upload.id, None, body(&content[..60_000])).await.unwrap();

    // The switch is turned between the first chunk and the second.
    let switch = fixture.registry.read_only().clone();
    let chunk = |at: usize| -> BodyResult { Ok(Bytes::copy_from_slice(&content[at..at + 20_000])) };
    let turned = stream::iter([chunk(60_000), chunk(80_000)]).enumerate().map(move |(n, chunk)| {
        switch.set(n == 1);
        chunk
    });
    let ended = fixture.registry.append_upload(&permit, &upload.id, None, turned).await;
    assert!(matches!(ended, Err(Error::ReadOnly)), "{ended:?}");
    let rest = || body(&content[60_000..]);
    let digest = sha256(&content);
    let refused = fixture.registry.finish_upload(&permit, &upload.id, None, rest(), &digest).await;
    assert!(matches!(refused, Err(Error::ReadOnly)), "{refused:?}");

    fixture.registry.read_only().set(false);
    assert_eq!(fixture.registry.upload_status(&permit, &upload.id).await.unwrap().offset, 60_000);
    fixture.registry.finish_upload(&permit, &upload.id, None, rest(), &digest).await.unwrap();
    assert_eq!(fixture.pull_blob("app", &digest).await.unwrap(), content);
}

async fn a_manifest_whose_body_outlasted_its_permit_is_refused(on: On) {
    let fixture = Fixture::new(on).await;
    let permit = fixture.may("app");
    fixture.registry.read_only().set(true);
    let content = Bytes::from_static(b"{}");
    let refused = fixture.registry.push_manifest(&permit, &refer("1"), &[], None, content).await;
    assert!(matches!(refused, Err(Error::ReadOnly)), "{refused:?}");
}

async fn pulls_work_and_are_counted_in_the_end(on: On) {
    let fixture = Fixture::new(on).await;
    let digest = fixture.push_image("app", "1", &[b"one", &large(1)]).await;
    fixture.registry.read_only().set(true);
    assert_eq!(fixture.pull_manifest("app", "1").await.unwrap(), digest);
    fixture.pull_blob("app", &sha256(&large(1))).await.unwrap();
    fixture.registry.stat_blob(&fixture.may("app"), &sha256(b"one")).await.unwrap();
    let commits = || fixture.registry.catalog().writer_stats().commits;
    let before = commits();
    fixture.registry.flush_pulls().await.unwrap();
    assert_eq!(commits(), before, "counts were written");

    fixture.registry.read_only().set(false);
    fixture.registry.flush_pulls().await.unwrap();
    let catalog = fixture.registry.catalog();
    let counted = catalog.read(async |r| pull::find(r, &name("app"), "1").await).await.unwrap();
    assert_eq!(counted.unwrap().0, 1);
}

async fn damage_is_not_served_and_not_marked_until_later(on: On) {
    let fixture = Fixture::new(on).await;
    let digest = fixture.push_blob("app", &large(1)).await;
    std::fs::remove_file(&fixture.files()[0]).unwrap();
    fixture.registry.read_only().set(true);
    assert!(matches!(fixture.pull_blob("app", &digest).await, Err(Error::BlobUnknown { .. })));
    assert_eq!(fixture.registry.status().await.unwrap().damaged_blobs, 0);
    fixture.registry.read_only().set(false);
    assert!(matches!(fixture.pull_blob("app", &digest).await, Err(Error::BlobUnknown { .. })));
    assert_eq!(fixture.registry.status().await.unwrap().damaged_blobs, 1);
}

#[tokio::test]
async fn the_repair_of_a_start_waits_and_comes_before_the_first_write() {
    let fixture = Fixture::new(On::Sqlite).await;
    fixture.publish_without_commit(&large(1)).await;
    tell(&fixture, true).await;
    let fixture = fixture.restart().await;
    assert!(fixture.registry.read_only().is_on(), "told before the restart");
    let left = fixture.files().len();
    assert!(left > 0, "repaired while read-only");
    tell(&fixture, false).await;
    fixture.registry.heed_mode().await.unwrap();
    assert!(!fixture.registry.read_only().is_on());
    assert_eq!(fixture.files().len(), 0, "{left} were left");
}

#[tokio::test]
async fn what_is_served_after_the_registry_has_moved_says_how_old_it_is() {
    let fixture = Fixture::new(On::Sqlite).await;
    fixture.push_image("app", "1", &[&large(1)]).await;
    let (registry, permit, now) = (&fixture.registry, fixture.may("app"), fixture.clock.now());
    let layer = sha256(&large(1));
    let served = async || {
        [
            registry.pull_manifest(&permit, &refer("1")).await.unwrap().freshness,
            registry.stat_manifest(&permit, &refer("1")).await.unwrap().freshness,
            registry.pull_blob(&permit, &layer).await.unwrap().freshness,
            registry.stat_blob(&permit, &layer).await.unwrap().freshness,
        ]
    };
    let unit = async move |tx: &mut Tx| {
        moving::begin(tx, "move", "elsewhere", "worker", now).await?;
        let (event, _) = event::last(tx).await?;
        moving::leave(tx, "worker", moving::Point { change: i64::MAX, event }, now).await
    };
    assert_eq!(served().await, [Freshness::Current; 4]);
    assert!(registry.catalog().write(unit).await.unwrap());
    fixture.clock.advance(Duration::from_mins(1));
    registry.heed_mode().await.unwrap();
    assert_eq!(served().await, [Freshness::Stale(Duration::from_mins(1)); 4]);
}

on_both! {
    a_node_follows_within_a_second,
    an_upload_under_way_ends_and_goes_on_later_from_where_it_was_acknowledged,
    a_manifest_whose_body_outlasted_its_permit_is_refused,
    pulls_work_and_are_counted_in_the_end,
    damage_is_not_served_and_not_marked_until_later,
}
