//! The kit itself: what it pushes comes back, and it knows what lies in storage.

use berth_oci::{Digest, media_type};
use berth_testkit::{Image, TestRegistry, index};

#[tokio::test]
async fn an_image_comes_back_as_it_was_pushed() {
    let mut registry = TestRegistry::builder().start().await;
    let image = Image::with_layers(&[b"one", &vec![7; 40_000]]);
    registry.client().push("team/app", "1", &image).await;
    assert_eq!(registry.client().pull("team/app", "1").await, image);
    // Only the large layer has a file: its digest, and the upload that brought it.
    let files = registry.stored_files();
    assert_eq!(files.len(), 1, "{files:?}");
    let hex = image.blobs()[2].digest().hex();
    assert!(files[0].starts_with(&format!("blobs/sha256/{}/{hex}.", &hex[..2])), "{files:?}");

    assert_eq!(registry.restart().await, berth_registry::Repaired::default());
    assert_eq!(registry.client().pull("team/app", &image.digest().to_string()).await, image);
}

#[tokio::test]
async fn users_and_tls() {
    let registry = TestRegistry::builder().with_user("ada", "secret").with_tls().start().await;
    let image = Image::small();
    assert_eq!(registry.client().get("/v2/").await.status(), 401);
    registry.client().with_credentials("ada", "secret").push("team/app", "1", &image).await;
    assert_eq!(registry.client().get("/v2/team/app/manifests/1").await.status(), 401);
}

#[tokio::test]
async fn an_index_and_a_referrer() {
    let registry = TestRegistry::builder().start().await;
    let client = registry.client();
    let image = Image::small();
    let signature = Image::referrer(image.manifest(), "application/vnd.example.signature", b"signed");
    client.push("team/app", "1", &image).await;
    client.push("team/app", &signature.digest().to_string(), &signature).await;
    let list = index(&[image.manifest()]);
    assert_eq!(client.push_manifest("team/app", "all", &list).await.status(), 201);
    assert_eq!(client.pull_manifest("team/app", "all").await, list);

    let answer = client.get(&format!("/v2/team/app/referrers/{}", image.digest())).await;
    assert_eq!(answer.headers()["content-type"], media_type::OCI_INDEX);
    let referrers: serde_json::Value = answer.json().await.unwrap();
    let digest: Digest = serde_json::from_value(referrers["manifests"][0]["digest"].clone()).unwrap();
    assert_eq!(digest, signature.digest());
}
