//! Collection: what nothing needs goes, with its bytes, and nothing else.

use berth_registry::{CollectReport, Untagged};

use crate::fixture::{Fixture, INDEX, On, body, index, large, sha256};

async fn a_deleted_image_gives_its_bytes_back_and_the_dry_run_knew(on: On) {
    let fixture = Fixture::new(on).await;
    let kept = fixture.push_image("app", "kept", &[&large(1), &large(2)]).await;
    let gone = fixture.push_image("app", "gone", &[&large(2), &large(3)]).await;
    fixture.registry.delete_manifest(&fixture.may("app"), &gone).await.unwrap();
    assert_eq!(fixture.collect(None, false).await.blobs, 0, "not before the delay");

    fixture.wait_out_the_delay();
    let foreseen = fixture.collect(None, true).await;
    assert_eq!(fixture.files().len(), 3, "a dry run frees nothing");
    let done = fixture.collect(None, false).await;
    assert_eq!((foreseen.links, foreseen.blobs, foreseen.blob_bytes), (1, 1, 100_000));
    assert_eq!((done.links, done.blobs, done.blob_bytes), (1, 1, 100_000));
    assert_eq!((done.files_freed, done.bytes_freed), (1, 100_000));
    assert_eq!(fixture.files().len(), 2);

    fixture.pull_manifest("app", &kept.to_string()).await.unwrap();
    let verified = fixture.registry.verify(|_| ()).await.unwrap();
    assert!(verified.is_clean(), "{verified:?}");
    assert_eq!(verified.freed_bytes, 100_000);
    let again = fixture.collect(None, false).await;
    assert_eq!(again, CollectReport::default(), "a second collection finds nothing to look at");
}

async fn untagged_manifests_stay_unless_the_policy_says_otherwise(on: On) {
    for (policy, expected) in [(Untagged::Keep, 0), (Untagged::Delete, 1)] {
        let fixture = Fixture::with(on, |config| config.gc.untagged = policy).await;
        let loose = fixture.push_image("app", "", &[&large(1)]).await;
        fixture.push_image("app", "1", &[&large(2)]).await;
        fixture.wait_out_the_delay();
        let report = fixture.collect(Some(0), false).await;
        assert_eq!(report.manifests, expected, "{policy:?}");
        assert_eq!(fixture.pull_manifest("app", &loose.to_string()).await.is_err(), expected == 1);
        fixture.pull_manifest("app", "1").await.unwrap();
    }
}

/// distribution #3178 and #3004: collecting untagged manifests ate the platforms of a tagged index.
async fn children_of_a_tagged_index_are_never_untagged(on: On) {
    let fixture = Fixture::with(on, |config| config.gc.untagged = Untagged::Delete).await;
    let amd64 = fixture.push_image("app", "", &[&large(1)]).await;
    let arm64 = fixture.push_image("app", "", &[&large(2)]).await;
    let inner = fixture.push_manifest("app", "", INDEX, &index(&[amd64, arm64])).await.unwrap();
    fixture.push_manifest("app", "1", INDEX, &index(&[inner])).await.unwrap();
    fixture.wait_out_the_delay();
    assert_eq!(fixture.collect(None, false).await.manifests, 0);
    for digest in [amd64, arm64, inner] {
        fixture.pull_manifest("app", &digest.to_string()).await.unwrap();
    }
    fixture.registry.delete_tag(&fixture.may("app"), &"1".parse().unwrap()).await.unwrap();
    fixture.wait_out_the_delay();
    fixture.collect(None, false).await;
    fixture.wait_out_the_delay();
    fixture.collect(None, false).await;
    fixture.wait_out_the_delay();
    fixture.collect(None, false).await;
    fixture.wait_out_the_delay();
    fixture.collect(None, false).await;
    assert!(fixture.files().is_empty(), "the whole tree goes with its last tag: {:?}", fixture.files());
}

/// distribution #4939: a base layer shared with a deleted image was collected.
async fn a_shared_base_layer_outlives_one_of_its_images(on: On) {
    let fixture = Fixture::new(on).await;
    let base = large(1);
    for n in 2..12 {
        fixture.push_image("app", &format!("v{n}"), &[&base, &large(n)]).await;
    }
    for n in 2..11 {
        let digest = fixture.pull_manifest("app", &format!("v{n}")).await.unwrap();
        fixture.registry.delete_manifest(&fixture.may("app"), &digest).await.unwrap();
        fixture.wait_out_the_delay();
        fixture.collect(None, false).await;
    }
    assert_eq!(fixture.pull_blob("app", &sha256(&base)).await.unwrap(), base);
    assert_eq!(fixture.files().len(), 2);
}

/// distribution #3254: a push after a collection was taken for known and the blob was gone.
async fn a_push_after_a_collection_stores_the_bytes_again(on: On) {
    let fixture = Fixture::new(on).await;
    let layer = large(1);
    for _ in 0..3 {
        let digest = fixture.push_image("app", "1", &[&layer]).await;
        assert_eq!(fixture.pull_blob("app", &sha256(&layer)).await.unwrap(), layer);
        fixture.registry.delete_manifest(&fixture.may("app"), &digest).await.unwrap();
        fixture.wait_out_the_delay();
        assert_eq!(fixture.collect(None, false).await.files_freed, 1);
    }
}

/// A multi-arch push finds its platforms there already: told so, it must find them there when its index comes.
async fn a_platform_that_a_client_was_told_of_waits_for_its_index(on: On) {
    for told_by_head in [true, false] {
        let fixture = Fixture::with(on, |config| config.gc.untagged = Untagged::Delete).await;
        let platform = fixture.push_image("app", "", &[&large(1)]).await;
        fixture.clock.advance(std::time::Duration::from_secs(86_000));
        if told_by_head {
            fixture.registry.stat_manifest(&fixture.may("app"), &platform.into()).await.unwrap();
        } else {
            fixture.push_image("app", "", &[&large(1)]).await;
        }
        fixture.clock.advance(std::time::Duration::from_secs(1_000));
        assert_eq!(fixture.collect(None, false).await.manifests, 0, "told by HEAD: {told_by_head}");
        fixture.push_manifest("app", "1", INDEX, &index(&[platform])).await.unwrap();
        fixture.wait_out_the_delay();
        fixture.collect(None, false).await;
        fixture.pull_manifest("app", &platform.to_string()).await.unwrap();
    }
}

async fn an_abandoned_session_leaves_no_repository(on: On) {
    let fixture = Fixture::new(on).await;
    let upload = fixture.registry.start_upload(&fixture.may("ghost"), None).await.unwrap();
    fixture.registry.cancel_upload(&fixture.may("ghost"), &upload.id).await.unwrap();
    let listed = fixture.registry.list_tags(&fixture.may("ghost"), None, 1).await;
    assert!(matches!(listed, Err(berth_registry::Error::NameUnknown(_))));
}

async fn sessions_that_nobody_touches_end(on: On) {
    let fixture = Fixture::new(on).await;
    let permit = fixture.may("app");
    let upload = fixture.registry.start_upload(&permit, None).await.unwrap();
    fixture.registry.append_upload(&permit, &upload.id, None, body(&large(1))).await.unwrap();
    assert_eq!(fixture.collect(None, false).await.uploads_expired, 0);
    fixture.clock.advance(std::time::Duration::from_hours(8 * 24));
    assert_eq!(fixture.collect(None, false).await.uploads_expired, 1);
    assert!(fixture.files().is_empty(), "{:?}", fixture.files());
    assert!(fixture.registry.upload_status(&permit, &upload.id).await.is_err());
}

async fn a_client_that_was_told_of_a_blob_gets_the_delay_again(on: On) {
    let fixture = Fixture::new(on).await;
    let digest = fixture.push_blob("app", &large(1)).await;
    fixture.clock.advance(std::time::Duration::from_secs(86_000));
    fixture.registry.stat_blob(&fixture.may("app"), &digest).await.unwrap();
    fixture.clock.advance(std::time::Duration::from_secs(1_000));
    assert_eq!(fixture.collect(None, false).await.links, 0);
    fixture.pull_blob("app", &digest).await.unwrap();
}

async fn the_dry_run_counts_what_a_collection_would_do_now(on: On) {
    let fixture = Fixture::with(on, |config| config.gc.untagged = Untagged::Delete).await;
    let permit = fixture.may("app");
    for _ in 0..70 {
        fixture.registry.start_upload(&permit, None).await.unwrap();
    }
    fixture.clock.advance(std::time::Duration::from_hours(8 * 24));
    fixture.push_image("app", "", &[&large(1)]).await;
    fixture.push_image("app", "1", &[&large(2)]).await;
    fixture.push_blob("app", &large(3)).await;
    fixture.push_blob("app", b"small").await;
    // One blob in two places, and one whose last link went by a request.
    fixture.push_blob("other", &large(3)).await;
    let deleted = fixture.push_blob("app", &large(4)).await;
    fixture.registry.delete_blob(&fixture.may("app"), &deleted).await.unwrap();
    fixture.wait_out_the_delay();

    let foreseen = fixture.collect(None, true).await;
    let done = fixture.collect(None, false).await;
    assert_eq!((foreseen.uploads_expired, foreseen.manifests), (70, 1));
    assert_eq!((foreseen.files_freed, foreseen.bytes_freed), (2, 200_000));
    assert_eq!(foreseen, CollectReport { dry_run: true, ..done });
}

async fn the_backlog_counts_what_will_be_reviewed(on: On) {
    for policy in [Untagged::Keep, Untagged::Delete] {
        let fixture = Fixture::with(on, |config| config.gc.untagged = policy).await;
        fixture.push_image("app", "1", &[&large(1)]).await;
        fixture.push_blob("app", &large(2)).await;
        fixture.wait_out_the_delay();
        let expected = if policy == Untagged::Keep { 1 } else { 2 };
        assert_eq!(fixture.registry.status().await.unwrap().review_backlog, expected, "{policy:?}");
        fixture.collect(None, false).await;
        assert_eq!(fixture.registry.status().await.unwrap().review_backlog, 0, "{policy:?}");
    }
}

on_both! {
    a_deleted_image_gives_its_bytes_back_and_the_dry_run_knew,
    untagged_manifests_stay_unless_the_policy_says_otherwise,
    children_of_a_tagged_index_are_never_untagged,
    a_shared_base_layer_outlives_one_of_its_images,
    a_push_after_a_collection_stores_the_bytes_again,
    a_platform_that_a_client_was_told_of_waits_for_its_index,
    an_abandoned_session_leaves_no_repository,
    sessions_that_nobody_touches_end,
    a_client_that_was_told_of_a_blob_gets_the_delay_again,
    the_dry_run_counts_what_a_collection_would_do_now,
    the_backlog_counts_what_will_be_reviewed,
}
