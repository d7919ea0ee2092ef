use super::*;

const CHALLENGE: &str = "Basic realm=\"berth\", charset=\"UTF-8\"";

#[tokio::test]
async fn without_credentials_nothing_is_known() {
    let server = Server::with_users(Anonymous::None);
    let digest = Digest::of(Algorithm::Sha256, b"x");
    for (method, target) in [
        ("GET", "/v2/".to_owned()),
        ("GET", "/v2/_catalog".into()),
        ("GET", "/v2/a/tags/list".into()),
        ("GET", "/v2/a/manifests/x".into()),
        ("PUT", "/v2/a/manifests/x".into()),
        ("DELETE", "/v2/a/manifests/x".into()),
        ("GET", format!("/v2/a/blobs/{digest}")),
        ("DELETE", format!("/v2/a/blobs/{digest}")),
        ("POST", "/v2/a/blobs/uploads/".into()),
        ("GET", "/v2/a/blobs/uploads/0123456789abcdef0123456789abcdef".into()),
        ("PATCH", "/v2/a/blobs/uploads/0123456789abcdef0123456789abcdef".into()),
        ("GET", format!("/v2/a/referrers/{digest}")),
    ] {
        let reply = server.ask(method, &target).send().await.refused(401, "UNAUTHORIZED");
        assert_eq!(reply.header("www-authenticate"), CHALLENGE, "{method} {target}");
    }
}

#[tokio::test]
async fn users_may_do_what_they_may() {
    let server = Server::with_users(Anonymous::None);
    let reply = server.ask("GET", "/v2/").login("ann").send().await.expect(200);
    assert_eq!(reply.context.caller, Some(Caller::user("ann")));
    server.ask("POST", "/v2/a/blobs/uploads/").login("ann").send().await.expect(202);
    server.ask("GET", "/v2/").login("bob").send().await.expect(200);
    let reply = server.ask("POST", "/v2/a/blobs/uploads/").login("bob").send().await.refused(403, "DENIED");
    assert_eq!(
        reply.message(),
        "user bob may not push a: no role held there allows push on project/a/repository/; \
         ask the administrator for a role that does"
    );
    assert!(reply.headers.get("www-authenticate").is_none());
    server.ask("GET", "/v2/").login("eve").send().await.refused(401, "UNAUTHORIZED");
    let reply = server.ask("GET", "/v2/").header("authorization", "Bearer x").send().await;
    assert_eq!(reply.refused(401, "UNAUTHORIZED").header("www-authenticate"), CHALLENGE);
}

#[tokio::test]
async fn anonymous_readers_are_asked_to_log_in_to_push() {
    let server = Server::with_users(Anonymous::Read);
    // Docker learns here, and only here, that it may send credentials.
    let reply = server.get("/v2/").await.refused(401, "UNAUTHORIZED");
    assert_eq!(reply.header("www-authenticate"), CHALLENGE);
    server.get("/v2/a/manifests/x").await.refused(404, "MANIFEST_UNKNOWN");
    let reply = server.ask("PUT", "/v2/a/manifests/x").send().await.refused(401, "UNAUTHORIZED");
    assert_eq!(reply.header("www-authenticate"), CHALLENGE);
}

#[tokio::test]
async fn without_users_a_login_would_not_help() {
    let access = berth_access::Config { anonymous: Some(Anonymous::None), ..Default::default() };
    let server = Server::new(Config::default(), &access);
    server.get("/v2/").await.refused(403, "DENIED");
    server.get("/v2/a/manifests/x").await.refused(403, "DENIED");
}
