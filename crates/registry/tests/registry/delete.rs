//! Delete: what goes at once, what stays, and what nobody may see any more.

use berth_registry::Error;

use crate::fixture::{Fixture, On, large, sha256};

async fn a_blob_that_a_manifest_names_stays(on: On) {
    let fixture = Fixture::new(on).await;
    let digest = fixture.push_image("app", "1", &[&large(1)]).await;
    let layer = sha256(&large(1));
    let refused = fixture.registry.delete_blob(&fixture.may("app"), &layer).await;
    assert!(matches!(refused, Err(Error::BlobInUse { .. })));
    fixture.registry.delete_manifest(&fixture.may("app"), &digest).await.unwrap();
    fixture.registry.delete_blob(&fixture.may("app"), &layer).await.unwrap();
    assert!(matches!(fixture.pull_blob("app", &layer).await, Err(Error::BlobUnknown { .. })));
}

async fn deleting_in_one_repository_leaves_the_other_alone(on: On) {
    let fixture = Fixture::new(on).await;
    let layer = large(2);
    let digest = fixture.push_image("a", "1", &[&layer]).await;
    fixture.push_image("b", "1", &[&layer]).await;
    fixture.registry.delete_manifest(&fixture.may("a"), &digest).await.unwrap();
    fixture.wait_out_the_delay();
    fixture.collect(None, false).await;
    assert!(fixture.pull_blob("a", &sha256(&layer)).await.is_err());
    assert_eq!(fixture.pull_blob("b", &sha256(&layer)).await.unwrap(), layer);
    assert!(
        fixture.pull_blob("a", &sha256(&layer)).await.is_err(),
        "reading it in b must not bring it back in a"
    );
}

async fn a_tag_goes_and_its_manifest_stays(on: On) {
    let fixture = Fixture::new(on).await;
    let digest = fixture.push_image("app", "1", &[b"x"]).await;
    fixture.registry.delete_tag(&fixture.may("app"), &"1".parse().unwrap()).await.unwrap();
    assert!(fixture.pull_manifest("app", "1").await.is_err());
    fixture.pull_manifest("app", &digest.to_string()).await.unwrap();
    let again = fixture.registry.delete_tag(&fixture.may("app"), &"1".parse().unwrap()).await;
    assert!(matches!(again, Err(Error::ManifestUnknown { .. })));
}

async fn a_repository_without_content_is_listed_no_more(on: On) {
    let fixture = Fixture::new(on).await;
    let digest = fixture.push_image("app", "1", &[b"x"]).await;
    let catalog = fixture.access.catalog(&berth_access::Caller::anonymous()).unwrap();
    assert_eq!(fixture.registry.list_repositories(&catalog, None, 10).await.unwrap().items.len(), 1);
    fixture.registry.delete_manifest(&fixture.may("app"), &digest).await.unwrap();
    assert!(fixture.registry.list_repositories(&catalog, None, 10).await.unwrap().items.is_empty());
    fixture.wait_out_the_delay();
    fixture.collect(None, false).await;
    assert!(matches!(
        fixture.registry.list_tags(&fixture.may("app"), None, 1).await,
        Err(Error::NameUnknown(_))
    ));
}

on_both! {
    a_blob_that_a_manifest_names_stays,
    deleting_in_one_repository_leaves_the_other_alone,
    a_tag_goes_and_its_manifest_stays,
    a_repository_without_content_is_listed_no_more,
}
