//! Push of manifests: what is refused, what an event says, what refers to what.

use berth_oci::Tag;
use berth_registry::Error;
use bytes::Bytes;

use crate::fixture::{Fixture, IMAGE, INDEX, On, image, index, refer, sha256};

async fn a_manifest_needs_its_blobs_in_its_own_repository(on: On) {
    let fixture = Fixture::new(on).await;
    let (config, layer) = (fixture.push_blob("a", b"{}").await, fixture.push_blob("a", b"layer").await);
    let manifest = image(&config, &[(layer, 5)]);
    let refused = fixture.push_manifest("b", "1", IMAGE, &manifest).await;
    assert!(
        matches!(refused, Err(Error::ManifestBlobsUnknown { digests, .. }) if digests == [config, layer])
    );
    fixture.push_manifest("a", "1", IMAGE, &manifest).await.unwrap();
}

async fn a_sparse_image_is_a_setting_and_a_sparse_index_is_not(on: On) {
    let absent = sha256(b"absent");
    let fixture = Fixture::new(on).await;
    fixture.push_manifest("a", "index", INDEX, &index(&[absent])).await.unwrap();

    let fixture = Fixture::with(on, |config| config.limits.sparse_images = true).await;
    fixture.push_manifest("a", "1", IMAGE, &image(&absent, &[])).await.unwrap();
    let verified = fixture.registry.verify(|_| ()).await.unwrap();
    assert!(verified.is_clean(), "{verified:?}");
    // A blob that comes after its manifest is kept like one that came before.
    fixture.push_blob("a", b"absent").await;
    fixture.wait_out_the_delay();
    assert_eq!(fixture.collect(None, false).await.links, 0);
}

/// docker pushes foreign layers when it is told to, after the manifest was there already.
async fn a_foreign_layer_that_comes_after_its_manifest_is_kept(on: On) {
    let fixture = Fixture::new(on).await;
    let config = fixture.push_blob("a", b"{}").await;
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": IMAGE,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2},
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            "digest": sha256(b"foreign"), "size": 7,
        }],
    });
    fixture.push_manifest("a", "1", IMAGE, &manifest.to_string()).await.unwrap();
    let layer = fixture.push_blob("a", b"foreign").await;
    fixture.push_manifest("a", "1", IMAGE, &manifest.to_string()).await.unwrap();
    fixture.wait_out_the_delay();
    assert_eq!(fixture.collect(None, false).await.links, 0);
    fixture.pull_blob("a", &layer).await.unwrap();
}

async fn referrers_with_large_annotations_come_in_small_pages(on: On) {
    let fixture = Fixture::with(on, |config| config.limits.manifest_bytes = 10_000).await;
    let subject = sha256(b"subject");
    let config = fixture.push_blob("app", b"{}").await;
    for n in 0..5 {
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": IMAGE, "artifactType": "application/x.large",
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2},
            "layers": [], "subject": {"mediaType": IMAGE, "digest": subject, "size": 1},
            "annotations": {"large": format!("{n}{}", "x".repeat(4_000))},
        });
        fixture.push_manifest("app", "", IMAGE, &manifest.to_string()).await.unwrap();
    }
    let (permit, mut after, mut pages) = (fixture.may("app"), None, Vec::new());
    loop {
        let page =
            fixture.registry.list_referrers(&permit, &subject, None, after.as_ref(), 100).await.unwrap();
        pages.push(page.items.len());
        after = page.items.last().map(|item| item.digest);
        if !page.more {
            break;
        }
    }
    assert_eq!(pages, [2, 2, 1]);
}

async fn a_wrong_digest_a_large_manifest_and_deep_nesting_are_refused(on: On) {
    let fixture = Fixture::with(on, |config| {
        config.limits.manifest_bytes = 1000;
        config.limits.index_depth = 2;
    })
    .await;
    let wrong = fixture
        .registry
        .push_manifest(&fixture.may("a"), &sha256(b"other").into(), &[], Some(INDEX), Bytes::from(index(&[])))
        .await;
    assert!(matches!(wrong, Err(Error::DigestMismatch { .. })));
    let padded = format!("{}{}", index(&[]), " ".repeat(1000));
    assert!(matches!(
        fixture.push_manifest("a", "1", INDEX, &padded).await,
        Err(Error::ManifestTooLarge { limit: 1000 })
    ));

    let mut inner = fixture.push_image("a", "", &[]).await;
    for _ in 0..2 {
        inner = fixture.push_manifest("a", "", INDEX, &index(&[inner])).await.unwrap();
    }
    let refused = fixture.push_manifest("a", "", INDEX, &index(&[inner])).await;
    assert!(matches!(refused, Err(Error::IndexTooDeep { limit: 2 })), "{refused:?}");
}

async fn events_say_what_changed_and_nothing_else(on: On) {
    let fixture = Fixture::new(on).await;
    fixture.push_image("app", "1", &[b"one"]).await;
    fixture.push_image("app", "1", &[b"one"]).await;
    let second = fixture.push_image("app", "1", &[b"two"]).await;
    fixture.registry.delete_tag(&fixture.may("app"), &"1".parse().unwrap()).await.unwrap();
    fixture.registry.delete_manifest(&fixture.may("app"), &second).await.unwrap();
    assert_eq!(
        fixture.events().await,
        [
            "manifest_pushed app",
            "tag_moved app:1",
            "manifest_pushed app",
            "tag_moved app:1",
            "tag_deleted app:1",
            "manifest_deleted app",
        ]
    );
}

async fn one_push_sets_several_tags(on: On) {
    let fixture = Fixture::new(on).await;
    let content = Bytes::from(index(&[]));
    let tags: Vec<Tag> = ["b", "a", "b"].iter().map(|tag| tag.parse().unwrap()).collect();
    let pushed = fixture
        .registry
        .push_manifest(&fixture.may("app"), &sha256(&content).into(), &tags, Some(INDEX), content)
        .await
        .unwrap();
    assert_eq!(pushed.tags.iter().map(Tag::as_str).collect::<Vec<_>>(), ["b", "a"]);
    let listed = fixture.registry.list_tags(&fixture.may("app"), None, 10).await.unwrap();
    assert_eq!(listed.items.iter().map(Tag::as_str).collect::<Vec<_>>(), ["a", "b"]);
}

async fn referrers_are_listed_by_subject_and_type_page_by_page(on: On) {
    let fixture = Fixture::new(on).await;
    let subject = sha256(b"not pushed yet");
    let config = fixture.push_blob("app", b"{}").await;
    for n in 0..5 {
        let artifact_type = if n % 2 == 0 { "application/x.sbom" } else { "application/x.signature" };
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": IMAGE, "artifactType": artifact_type,
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2},
            "layers": [], "subject": {"mediaType": IMAGE, "digest": subject, "size": 1},
            "annotations": {"n": n.to_string()},
        });
        fixture.push_manifest("app", "", IMAGE, &manifest.to_string()).await.unwrap();
    }
    let permit = fixture.may("app");
    let registry = &fixture.registry;
    let first = registry.list_referrers(&permit, &subject, None, None, 3).await.unwrap();
    assert!(first.more);
    let after = first.items.last().map(|descriptor| descriptor.digest);
    let rest = registry.list_referrers(&permit, &subject, None, after.as_ref(), 3).await.unwrap();
    assert_eq!((first.items.len(), rest.items.len(), rest.more), (3, 2, false));
    let sboms =
        registry.list_referrers(&permit, &subject, Some("application/x.sbom"), None, 10).await.unwrap().items;
    assert_eq!(sboms.len(), 3);
    assert!(sboms.iter().all(|sbom| sbom.artifact_type.as_deref() == Some("application/x.sbom")));
    assert!(sboms.iter().all(|sbom| sbom.annotations.contains_key("n")));
}

/// Specification, "Enabling the referrers API": what clients listed under the fallback tag must be found by the API.
async fn a_fallback_tag_and_the_api_agree(on: On) {
    let fixture = Fixture::new(on).await;
    let subject = fixture.push_image("app", "1", &[b"x"]).await;
    let config = fixture.push_blob("app", b"{}").await;
    let signature = serde_json::json!({
        "schemaVersion": 2, "mediaType": IMAGE, "artifactType": "application/x.signature",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2},
        "layers": [], "subject": {"mediaType": IMAGE, "digest": subject, "size": 1},
    });
    let signature = fixture.push_manifest("app", "", IMAGE, &signature.to_string()).await.unwrap();
    let fallback = subject.to_string().replace(':', "-");
    fixture.push_manifest("app", &fallback, INDEX, &index(&[signature])).await.unwrap();
    let listed =
        fixture.registry.list_referrers(&fixture.may("app"), &subject, None, None, 10).await.unwrap();
    assert_eq!(listed.items.iter().map(|item| item.digest).collect::<Vec<_>>(), [signature], "once");
    fixture.pull_manifest("app", &fallback).await.unwrap();
}

async fn unknown_repositories_have_no_tags_to_list(on: On) {
    let fixture = Fixture::new(on).await;
    let unknown = fixture.registry.list_tags(&fixture.may("nobody"), None, 10).await;
    assert!(matches!(unknown, Err(Error::NameUnknown(_))));
    let unknown = fixture.registry.pull_manifest(&fixture.may("nobody"), &refer("1")).await;
    assert!(matches!(unknown, Err(Error::ManifestUnknown { .. })));
}

on_both! {
    a_manifest_needs_its_blobs_in_its_own_repository,
    a_sparse_image_is_a_setting_and_a_sparse_index_is_not,
    a_foreign_layer_that_comes_after_its_manifest_is_kept,
    referrers_with_large_annotations_come_in_small_pages,
    a_wrong_digest_a_large_manifest_and_deep_nesting_are_refused,
    events_say_what_changed_and_nothing_else,
    one_push_sets_several_tags,
    referrers_are_listed_by_subject_and_type_page_by_page,
    a_fallback_tag_and_the_api_agree,
    unknown_repositories_have_no_tags_to_list,
}
