//! Pull: what was pushed, as long as it stands, and never what another repository holds.

use std::time::Duration;

use berth_catalog::pull;
use berth_registry::Error;

use crate::fixture::{Fixture, On, large, name, refer, sha256};

async fn an_image_comes_back_byte_for_byte(on: On) {
    let fixture = Fixture::new(on).await;
    let digest = fixture.push_image("library/app", "1", &[b"small layer", &large(1)]).await;
    assert_eq!(fixture.pull_manifest("library/app", "1").await.unwrap(), digest);
    assert_eq!(fixture.pull_manifest("library/app", &digest.to_string()).await.unwrap(), digest);
    assert_eq!(fixture.pull_blob("library/app", &sha256(b"small layer")).await.unwrap(), "small layer");
    assert_eq!(fixture.pull_blob("library/app", &sha256(&large(1))).await.unwrap(), large(1));
}

async fn a_blob_is_readable_only_through_a_repository_that_links_it(on: On) {
    let fixture = Fixture::new(on).await;
    let digest = fixture.push_blob("tenant/a", &large(1)).await;
    for other in ["tenant/b", "tenant/a/sub"] {
        assert!(matches!(fixture.pull_blob(other, &digest).await, Err(Error::BlobUnknown { .. })), "{other}");
    }
}

async fn the_cache_never_outlives_the_truth(on: On) {
    let fixture = Fixture::new(on).await;
    let first = fixture.push_image("app", "1", &[b"one"]).await;
    assert_eq!(fixture.pull_manifest("app", "1").await.unwrap(), first);
    let second = fixture.push_image("app", "1", &[b"two"]).await;
    assert_eq!(fixture.pull_manifest("app", "1").await.unwrap(), second, "a moved tag");
    fixture.registry.delete_manifest(&fixture.may("app"), &second).await.unwrap();
    assert!(
        matches!(fixture.pull_manifest("app", "1").await, Err(Error::ManifestUnknown { .. })),
        "a deleted one"
    );
    fixture.push_image("app", "1", &[b"two"]).await;
    assert_eq!(fixture.pull_manifest("app", "1").await.unwrap(), second, "pushed again");

    let blob = fixture.push_blob("app", b"loose").await;
    fixture.pull_blob("app", &blob).await.unwrap();
    fixture.registry.delete_blob(&fixture.may("app"), &blob).await.unwrap();
    assert!(fixture.pull_blob("app", &blob).await.is_err(), "a deleted blob");
}

async fn pulls_are_counted_by_tag_and_digest(on: On) {
    let fixture = Fixture::new(on).await;
    let digest = fixture.push_image("app", "1", &[b"one"]).await;
    for _ in 0..3 {
        fixture.pull_manifest("app", "1").await.unwrap();
    }
    fixture.pull_manifest("app", &digest.to_string()).await.unwrap();
    fixture.registry.stat_manifest(&fixture.may("app"), &refer("1")).await.unwrap();
    fixture.clock.advance(Duration::from_secs(5));
    fixture.registry.flush_pulls().await.unwrap();
    fixture.registry.flush_pulls().await.unwrap();

    let catalog = fixture.registry.catalog();
    let by_tag = catalog.read(async |r| pull::find(r, &name("app"), "1").await).await.unwrap().unwrap();
    let by_digest = catalog
        .read(async |r| pull::find(r, &name("app"), &digest.to_string()).await)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(by_tag, (4, fixture.clock.now()), "three pulls and one resolution");
    assert_eq!(by_digest.0, 4, "three pulls by tag and one by digest");
}

async fn verification_on_read_refuses_changed_bytes(on: On) {
    let fixture = Fixture::with(on, |config| config.storage.verify_on_read = true).await;
    let digest = fixture.push_blob("app", &large(1)).await;
    fixture.pull_blob("app", &digest).await.unwrap();
    let mut changed = large(1);
    changed[50_000] ^= 1;
    std::fs::write(&fixture.files()[0], changed).unwrap();
    assert!(matches!(fixture.pull_blob("app", &digest).await, Err(Error::BlobUnknown { .. })));
}

on_both! {
    an_image_comes_back_byte_for_byte,
    a_blob_is_readable_only_through_a_repository_that_links_it,
    the_cache_never_outlives_the_truth,
    pulls_are_counted_by_tag_and_digest,
    verification_on_read_refuses_changed_bytes,
}
