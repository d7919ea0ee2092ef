//! What a token was signed for, and nothing else.

use super::*;

#[tokio::test]
async fn the_source_of_a_mount_must_be_covered_too() {
    let server = Server::new(Anonymous::None).await;
    let digest = server.push_blob("secret/source", "x").await;
    let mount = format!("/v2/a/b/blobs/uploads/?mount={digest}&from=secret/source");
    let both = "repository:a/b:pull,push&scope=repository:secret/source:pull";
    // Challenged, the client is told of both.
    let reply = server.send("POST", &mount, &[], "").await.expect(401);
    assert!(
        reply.challenge().ends_with(",scope=\"repository:a/b:pull,push repository:secret/source:pull\""),
        "{}",
        reply.challenge()
    );
    let token = server.token("ann", "repository:a/b:pull,push").await;
    server.bear(&token, "POST", &mount).await.expect(202);
    let anywhere = format!("/v2/a/b/blobs/uploads/?mount={digest}");
    server.bear(&token, "POST", &anywhere).await.expect(202);
    let push_only = server.token("ann", "repository:a/b:pull,push&scope=repository:secret/source:push").await;
    server.bear(&push_only, "POST", &mount).await.expect(202);
    let token = server.token("ann", both).await;
    server.bear(&token, "POST", &mount).await.expect(201);
}

#[tokio::test]
async fn each_endpoint_asks_for_the_scope_that_it_needs() {
    let server = Server::new(Anonymous::None).await;
    let digest = Digest::of(Algorithm::Sha256, b"x");
    let id = "0123456789abcdef0123456789abcdef";
    for (method, target, scope) in [
        ("GET", "/v2/_catalog".to_owned(), "registry:catalog:*"),
        ("GET", "/v2/a/tags/list".into(), "repository:a:pull"),
        ("HEAD", "/v2/a/manifests/x".into(), "repository:a:pull"),
        ("PUT", "/v2/a/manifests/x".into(), "repository:a:pull,push"),
        ("DELETE", "/v2/a/manifests/x".into(), "repository:a:delete"),
        ("GET", format!("/v2/a/blobs/{digest}"), "repository:a:pull"),
        ("DELETE", format!("/v2/a/blobs/{digest}"), "repository:a:delete"),
        ("POST", "/v2/a/blobs/uploads/".into(), "repository:a:pull,push"),
        ("GET", format!("/v2/a/blobs/uploads/{id}"), "repository:a:pull,push"),
        ("PATCH", format!("/v2/a/blobs/uploads/{id}"), "repository:a:pull,push"),
        ("DELETE", format!("/v2/a/blobs/uploads/{id}"), "repository:a:pull,push"),
        ("GET", format!("/v2/a/referrers/{digest}"), "repository:a:pull"),
    ] {
        let reply = server.send(method, &target, &[], "").await.expect(401);
        assert!(
            reply.challenge().ends_with(&format!(",scope=\"{scope}\"")),
            "{method} {target}: {}",
            reply.challenge()
        );
        // With what was asked for, the answer is another than a challenge.
        let token = server.token("ann", scope).await;
        let reply = server.bear(&token, method, &target).await;
        assert!(reply.status != 401 && reply.status != 403, "{method} {target}: {}", reply.status);
        // With everything for another repository, it is not.
        let token = server.token("ann", "repository:b:*").await;
        server.bear(&token, method, &target).await.expect(401);
    }
}

#[tokio::test]
async fn who_may_not_hears_why_and_is_not_sent_for_another_token() {
    let server = Server::new(Anonymous::None).await;
    let token = server.token("bob", "repository:a:pull,push").await;
    let reply = server.bear(&token, "POST", "/v2/a/blobs/uploads/").await.expect(403);
    assert_eq!(reply.json()["errors"][0]["code"], "DENIED");
    assert!(reply.message().starts_with("user bob may not push a"), "{}", reply.message());
    assert_eq!(reply.challenge(), "");
}
