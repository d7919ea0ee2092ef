//! Manifests that say what they belong to, that are refused, and that are deleted.

use super::*;

#[tokio::test]
async fn a_push_with_a_subject_says_so() {
    let server = Server::open();
    server.push_blob("a", b"{}").await;
    let subject = Digest::of(Algorithm::Sha256, b"not here");
    let descriptor = json!({ "mediaType": media_type::OCI_MANIFEST, "digest": subject, "size": 8 });
    let content = image(&json!({ "subject": descriptor }));
    let ask = server.ask("PUT", "/v2/a/manifests/v1").header("content-type", media_type::OCI_MANIFEST);
    let reply = ask.body(&content).send().await.expect(201);
    assert_eq!(reply.header("oci-subject"), subject.to_string());
}

#[tokio::test]
async fn manifests_that_cannot_be_are_refused() {
    let server = Server::open();
    server.push_blob("a", b"{}").await;
    let content = image(&json!({}));
    let put = |target: String, content: &[u8]| server.ask("PUT", target).body(content);
    let v1 = || "/v2/a/manifests/v1".to_owned();
    put(v1(), b"not json").send().await.refused(400, "MANIFEST_INVALID");
    put(v1(), b"").send().await.refused(400, "MANIFEST_INVALID");
    let other = Digest::of(Algorithm::Sha256, b"other");
    put(format!("/v2/a/manifests/{other}"), &content).send().await.refused(400, "DIGEST_INVALID");
    put("/v2/a/manifests/sha256:x".into(), &content).send().await.refused(400, "DIGEST_INVALID");
    let ask = put(v1(), &content).header("content-type", media_type::OCI_INDEX);
    ask.send().await.refused(400, "MANIFEST_INVALID");
    server.get("/v2/a/manifests/v1").await.refused(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_manifest_that_is_too_large_is_refused() {
    let server = Server::open();
    let reply = server.ask("PUT", "/v2/a/manifests/v1").body(&vec![b' '; 20_001]).send().await;
    let reply = reply.refused(413, "MANIFEST_INVALID");
    assert!(reply.message().contains("larger than 20000 bytes"), "{}", reply.message());
    let ask = server.ask("PUT", "/v2/a/manifests/v1").header("content-length", "4000000000");
    ask.body(b"{}").send().await.refused(413, "MANIFEST_INVALID");
    let reply =
        server.ask("PUT", "/v2/a/manifests/v1").header("content-length", "3").body(b"{}").send().await;
    assert!(reply.refused(400, "MANIFEST_INVALID").message().contains("Content-Length says 3 bytes"));
}

#[tokio::test]
async fn deletes_tags_alone_and_manifests_with_their_tags() {
    let server = Server::open();
    let (digest, _) = server.push_image("a", "v1", &json!({})).await;
    server.push_image("a", "v2", &json!({})).await;
    server.ask("DELETE", "/v2/a/manifests/v1").send().await.expect(202);
    server.get("/v2/a/manifests/v1").await.refused(404, "MANIFEST_UNKNOWN");
    server.get("/v2/a/manifests/v2").await.expect(200);
    server.ask("DELETE", "/v2/a/manifests/v1").send().await.refused(404, "MANIFEST_UNKNOWN");
    server.ask("DELETE", format!("/v2/a/manifests/{digest}")).send().await.expect(202);
    server.get("/v2/a/manifests/v2").await.refused(404, "MANIFEST_UNKNOWN");
    let reply = server.get(format!("/v2/a/manifests/{digest}")).await.refused(404, "MANIFEST_UNKNOWN");
    assert_eq!(reply.json()["errors"][0]["detail"]["reference"], digest.to_string());
    assert_eq!(server.ask("DELETE", "/v2/b/manifests/v1").send().await.status, 404);
}
