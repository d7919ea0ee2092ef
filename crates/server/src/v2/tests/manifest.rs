use super::*;

#[tokio::test]
async fn a_manifest_comes_back_as_it_was_pushed() {
    let server = Server::open();
    let (digest, content) = server.push_image("a/b", "v1", &json!({ "x": [1, " "] })).await;
    for reference in ["v1", &digest.to_string()] {
        let target = format!("/v2/a/b/manifests/{reference}");
        let get =
            server.ask("GET", &target).header("accept", media_type::DOCKER_MANIFEST).send().await.expect(200);
        assert_eq!(get.body, content);
        let head = server.ask("HEAD", &target).send().await.expect(200);
        assert!(head.body.is_empty());
        assert_eq!(head.header("content-length"), content.len().to_string());
        for reply in [get, head] {
            assert_eq!(reply.header("content-type"), media_type::OCI_MANIFEST);
            assert_eq!(reply.header("docker-content-digest"), digest.to_string());
            assert_eq!(reply.header("etag"), format!("\"{digest}\""));
            let freshness = if reference == "v1" { "no-cache" } else { "max-age=31536000, immutable" };
            assert_eq!(reply.header("cache-control"), freshness);
        }
    }
}

#[tokio::test]
async fn a_client_that_has_it_gets_304() {
    let server = Server::open();
    let (digest, _) = server.push_image("a", "v1", &json!({})).await;
    for method in ["GET", "HEAD"] {
        let ask = server.ask(method, "/v2/a/manifests/v1");
        let reply = ask.header("if-none-match", format!("\"{digest}\"")).send().await.expect(304);
        assert!(reply.body.is_empty());
        assert_eq!(reply.header("etag"), format!("\"{digest}\""));
        let ask = server.ask(method, "/v2/a/manifests/v1").header("if-none-match", "\"sha256:other\"");
        ask.send().await.expect(200);
    }
}

#[tokio::test]
async fn a_push_says_where_the_manifest_is() {
    let server = Server::open();
    server.push_blob("a", b"{}").await;
    let content = image(&json!({}));
    let digest = Digest::of(Algorithm::Sha256, &content);
    let put = |target: &str| {
        let ask = server
            .ask("PUT", target)
            .header("content-type", "application/vnd.oci.image.manifest.v1+json; x=y");
        ask.body(&content)
    };
    let reply = put("/v2/a/manifests/v1").send().await.expect(201);
    assert_eq!(reply.header("location"), format!("/v2/a/manifests/{digest}"));
    assert_eq!(reply.header("docker-content-digest"), digest.to_string());
    assert!(reply.headers.get("oci-subject").is_none() && reply.headers.get("oci-tag").is_none());
    assert_eq!(server.get("/v2/a/manifests/v1").await.header("content-type"), media_type::OCI_MANIFEST);
    let reply = put("/v2/a/manifests/v1").prefix("/registry").send().await.expect(201);
    assert_eq!(reply.header("location"), format!("/registry/v2/a/manifests/{digest}"));
}

#[tokio::test]
async fn tags_may_come_with_a_push_by_digest() {
    let server = Server::open();
    server.push_blob("a", b"{}").await;
    let content = image(&json!({}));
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let digest = Digest::of(algorithm, &content);
        let target = format!("/v2/a/manifests/{digest}?tag=1.2.3&tag=1.2&tag=latest");
        let ask = server.ask("PUT", target).header("content-type", media_type::OCI_MANIFEST);
        let reply = ask.body(&content).send().await.expect(201);
        let tags: Vec<_> = reply.headers.get_all("oci-tag").iter().collect();
        assert_eq!(tags, ["1.2.3", "1.2", "latest"]);
        assert_eq!(reply.header("docker-content-digest"), digest.to_string());
        let pulled = server.get("/v2/a/manifests/1.2").await.expect(200);
        assert_eq!(pulled.header("docker-content-digest"), digest.to_string());
        let refused = server.ask("PUT", format!("/v2/a/manifests/{digest}?tag=ok&tag=not%20ok"));
        refused.body(&content).send().await.refused(400, "MANIFEST_INVALID");
        server.get("/v2/a/manifests/ok").await.refused(404, "MANIFEST_UNKNOWN");
    }
}
