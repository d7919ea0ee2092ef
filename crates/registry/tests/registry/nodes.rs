//! Two nodes on one catalog: what one answered, the other knows.

use berth_registry::Error;

use crate::fixture::{Fixture, IMAGE, On, body, image, large, sha256};

#[tokio::test]
async fn a_tag_that_one_node_moved_has_moved_on_the_other() {
    let one = Fixture::new(On::Postgres).await;
    let other = one.beside().await;
    for round in 0..10_u8 {
        let pushed = one.push_image("app", "1", &[&[round]]).await;
        assert_eq!(other.pull_manifest("app", "1").await.unwrap(), pushed, "round {round}");
    }
}

#[tokio::test]
async fn what_one_node_deleted_the_other_does_not_serve_from_memory() {
    let one = Fixture::new(On::Postgres).await;
    let other = one.beside().await;
    for round in 0..6_u8 {
        let pushed = one.push_image("app", "1", &[&[round]]).await;
        for reference in ["1", &pushed.to_string()] {
            // Twice, so that it lies in memory.
            other.pull_manifest("app", reference).await.unwrap();
            other.pull_manifest("app", reference).await.unwrap();
        }
        one.registry.delete_manifest(&one.may("app"), &pushed).await.unwrap();
        for reference in ["1", &pushed.to_string()] {
            let pulled = other.pull_manifest("app", reference).await;
            assert!(matches!(pulled, Err(Error::ManifestUnknown { .. })), "round {round}, {reference}");
        }
    }
}

#[tokio::test]
async fn a_blob_that_one_node_found_damaged_the_other_does_not_serve() {
    let one = Fixture::new(On::Postgres).await;
    let other = one.beside().await;
    let layer = one.push_blob("app", &large(1)).await;
    other.pull_blob("app", &layer).await.unwrap();
    std::fs::write(&one.files()[0], b"short").unwrap();
    assert_eq!(one.scrub().await.damaged, 1);
    one.registry.catalog().forgotten().await;
    assert!(matches!(other.pull_blob("app", &layer).await, Err(Error::BlobUnknown { .. })));
    other.push_blob("app", &large(1)).await;
    assert_eq!(one.pull_blob("app", &layer).await.unwrap(), large(1));
}

#[tokio::test]
async fn an_upload_goes_on_at_another_node() {
    let one = Fixture::new(On::Postgres).await;
    let other = one.beside().await;
    let (permit, content) = (one.may("app"), large(2));
    let upload = one.registry.start_upload(&permit, None).await.unwrap();
    for (n, chunk) in content.chunks(30_000).enumerate() {
        let node = if n % 2 == 0 { &one } else { &other };
        node.registry.append_upload(&permit, &upload.id, None, body(chunk)).await.unwrap();
    }
    let digest = sha256(&content);
    other.registry.finish_upload(&permit, &upload.id, None, body(b""), &digest).await.unwrap();
    assert_eq!(one.pull_blob("app", &digest).await.unwrap(), content);
}

#[tokio::test]
async fn a_collection_on_one_node_spares_what_the_other_was_given() {
    let one = Fixture::new(On::Postgres).await;
    let other = one.beside().await;
    let config = other.push_blob("app", b"{}").await;
    let layer = other.push_blob("app", &large(3)).await;
    let manifest = image(&config, &[(layer, 100_000)]);
    let pushed = other.push_manifest("app", "1", IMAGE, &manifest).await.unwrap();
    one.push_blob("app", &large(4)).await;
    one.wait_out_the_delay();
    assert_eq!(one.collect(None, false).await.blobs, 1, "the one that no manifest names");
    assert_eq!(other.pull_blob("app", &layer).await.unwrap(), large(3));
    other.registry.delete_manifest(&other.may("app"), &pushed).await.unwrap();
    one.wait_out_the_delay();
    one.collect(None, false).await;
    assert!(one.files().is_empty());
    assert!(other.pull_blob("app", &layer).await.is_err());
}
