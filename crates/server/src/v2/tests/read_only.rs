use super::*;

#[tokio::test]
async fn changes_are_refused_as_dockers_registry_does_and_pulls_work() {
    let server = Server::open();
    let (digest, content) = server.push_image("a", "x", &json!({})).await;
    let blob = format!("/v2/a/blobs/{}", Digest::of(Algorithm::Sha256, b"{}"));
    let start = server.ask("POST", "/v2/a/blobs/uploads/").send().await.expect(202);
    let upload = start.header("location").to_owned();

    server.app.registry.read_only().set(true);
    for (method, target) in [
        ("PUT", "/v2/a/manifests/y"),
        ("DELETE", "/v2/a/manifests/x"),
        ("DELETE", &format!("/v2/a/manifests/{digest}")),
        ("DELETE", &blob),
        ("POST", "/v2/a/blobs/uploads/"),
        ("POST", &format!("/v2/b/blobs/uploads/?mount={digest}&from=a")),
        ("PATCH", &upload),
        ("PUT", &format!("{upload}?digest={digest}")),
        ("DELETE", &upload),
    ] {
        let reply = server.ask(method, target).body(&content).send().await.refused(405, "UNSUPPORTED");
        assert!(reply.message().contains("read-only") && reply.message().contains("berth read-only off"));
        assert_eq!(reply.header("allow"), "GET, HEAD", "{method} {target}");
    }
    for target in ["/v2/", "/v2/_catalog", "/v2/a/tags/list", "/v2/a/manifests/x", &blob] {
        server.get(target).await.expect(200);
    }

    server.app.registry.read_only().set(false);
    server.ask("DELETE", &upload).send().await.expect(204);
}

#[tokio::test]
async fn what_the_configuration_says_stays() {
    let server = Server::open();
    server.app.registry.read_only().configure();
    assert!(!server.app.registry.read_only().set(false));
    server.ask("POST", "/v2/a/blobs/uploads/").send().await.refused(405, "UNSUPPORTED");
}
