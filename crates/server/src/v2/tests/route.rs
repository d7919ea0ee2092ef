use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ID: &str = "0123456789abcdef0123456789abcdef";

fn targets() -> [String; 8] {
    [
        "/v2/".into(),
        "/v2/_catalog".into(),
        "/v2/a/tags/list".into(),
        "/v2/a/manifests/x".into(),
        format!("/v2/a/blobs/{DIGEST}"),
        "/v2/a/blobs/uploads/".into(),
        format!("/v2/a/blobs/uploads/{ID}"),
        format!("/v2/a/referrers/{DIGEST}"),
    ]
}

#[tokio::test]
async fn allow_says_what_the_table_has() {
    let server = Server::open();
    for target in targets() {
        let allow = Endpoint::parse(&target, None).unwrap().allow();
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            let reply = server.ask(method, &target).send().await;
            let allowed = allow.split(", ").any(|allowed| allowed == method);
            assert_eq!(reply.status != 405, allowed, "{method} {target}: {}", reply.status);
            if !allowed {
                let reply =
                    if method == "HEAD" { reply.expect(405) } else { reply.refused(405, "UNSUPPORTED") };
                assert_eq!(reply.header("allow"), allow);
            }
        }
    }
}

#[tokio::test]
async fn the_base_answers() {
    let server = Server::open();
    for target in ["/v2", "/v2/"] {
        let reply = server.get(target).await.expect(200);
        assert_eq!(reply.body, "{}");
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.context.endpoint, Label::Base);
    }
    let head = server.ask("HEAD", "/v2/").send().await.expect(200);
    assert_eq!((head.header("content-length"), head.body.as_ref()), ("2", &b""[..]));
}

#[tokio::test]
async fn paths_that_mean_nothing_are_refused() {
    let server = Server::open();
    let reply = server.get("/v2/a/nothing/x").await.refused(404, "UNSUPPORTED");
    assert!(reply.message().contains("manifests/<reference>"));
    assert_eq!(reply.context.endpoint, Label::Unknown);
    server.get("/v2/a//b/manifests/x").await.refused(400, "NAME_INVALID");
    server.get("/v2/a%2Fb/manifests/x").await.refused(400, "NAME_INVALID");
    server.get("/v2/a/manifests/.x").await.refused(404, "MANIFEST_UNKNOWN");
    server.ask("PUT", "/v2/a/manifests/.x").send().await.refused(400, "MANIFEST_INVALID");
    server.get("/v2/a/manifests/sha256:baddigeststring").await.refused(400, "DIGEST_INVALID");
    server.get("/v2/a/blobs/sha256:x").await.refused(400, "DIGEST_INVALID");
    server.get("/v2/a/blobs/uploads/x").await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    server.get("/v2/a/tags/list?n=x").await.refused(400, "UNSUPPORTED");
    let head = server.ask("HEAD", "/v2/a//b/manifests/x").send().await.expect(400);
    assert!(head.body.is_empty());
    assert_ne!(head.header("content-length"), "0");
}

#[tokio::test]
async fn the_context_says_what_a_request_was_for() {
    let server = Server::open();
    let context = server.get("/v2/a/b/manifests/x").await.context;
    assert_eq!(context.endpoint, Label::Manifest);
    assert_eq!(context.repository.unwrap().as_str(), "a/b");
    assert_eq!(context.reference.as_deref(), Some("x"));
    assert_eq!(context.caller, Some(Caller::anonymous()));
    let context = server.get(format!("/v2/a/blobs/uploads/{ID}")).await.context;
    assert_eq!((context.endpoint, context.reference.as_deref()), (Label::Upload, Some(ID)));
}
