//! The addresses, and what may be asked for there.

use super::*;

#[tokio::test]
async fn harbors_address_and_name_work() {
    let server = Server::new(Anonymous::None).await;
    let fields = [("authorization", &*basic("ann", "secret"))];
    let target = "/service/token?service=harbor-registry&scope=repository:a/b:pull";
    let token = server.get(target, &fields).await.expect(200).json()["token"].as_str().unwrap().to_owned();
    server.bear(&token, "GET", "/v2/a/b/manifests/x").await.expect(404);
    for service in ["other", "Berth", "berth.evil.example"] {
        let reply = server.get(&format!("/token?service={service}"), &fields).await.expect(400);
        assert_eq!(reply.message(), "service is not this registry: ask for \"berth\"");
    }
    for path in ["/token/", "/service/token/", "//token", "/service//token", "/TOKEN", "/v2/token"] {
        server.get(path, &fields).await.expect(404);
    }
}

#[tokio::test]
async fn several_scopes_may_be_asked_for_in_every_way() {
    let server = Server::new(Anonymous::None).await;
    let fields = [("authorization", &*basic("ann", "secret"))];
    for query in [
        "scope=repository:a:pull&scope=repository:b:push",
        "scope=repository:a:pull%20repository:b:push",
        "scope=repository%3Aa%3Apull+repository%3Ab%3Apush",
        "scope=repository:a:pull&scope=repository:b:push&scope=frobnicate&scope=repository:C:pull&scope=",
    ] {
        let reply = server.get(&format!("/token?{query}"), &fields).await.expect(200);
        let token = reply.json()["token"].as_str().unwrap().to_owned();
        server.bear(&token, "GET", "/v2/a/manifests/x").await.expect(404);
        server.bear(&token, "POST", "/v2/b/blobs/uploads/").await.expect(202);
        server.bear(&token, "POST", "/v2/a/blobs/uploads/").await.expect(401);
    }
}

#[tokio::test]
async fn the_keys_are_there_for_others_to_verify_with() {
    let server = Server::new(Anonymous::None).await;
    let token = server.token("ann", "").await;
    let reply = server.get("/.well-known/jwks.json", &[]).await.expect(200);
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.context.endpoint, Endpoint::Keys);
    let keys = reply.json();
    let header = token.split('.').next().unwrap();
    let header: Value =
        serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).unwrap())
            .unwrap();
    assert_eq!(keys["keys"][0]["kid"], header["kid"]);
    assert!(keys["keys"][0].get("d").is_none());
    let reply = server.send("POST", "/.well-known/jwks.json", &[], "").await.expect(405);
    assert_eq!(reply.header("allow"), "GET, HEAD");
}

#[tokio::test]
async fn where_tokens_are_off_everything_is_as_it_was() {
    let server =
        Server::with(Anonymous::Read, Config::default(), |config| config.tokens.enabled = false).await;
    let reply = server.get("/v2/", &[]).await.expect(401);
    assert_eq!(reply.challenge(), "Basic realm=\"berth\", charset=\"UTF-8\"");
    server.get("/v2/", &[("authorization", &basic("ann", "secret"))]).await.expect(200);
    let reply = server.bear("a.b.c", "GET", "/v2/").await.expect(401);
    assert_eq!(reply.challenge(), "Basic realm=\"berth\", charset=\"UTF-8\"");
    for path in ["/token", "/service/token", "/.well-known/jwks.json"] {
        assert!(server.get(path, &[]).await.expect(404).message().contains("access.tokens.enabled"));
    }
}

#[tokio::test]
async fn an_open_registry_needs_no_tokens() {
    let server = Server::with(Anonymous::Write, Config::default(), |config| config.users.clear()).await;
    server.get("/v2/", &[]).await.expect(200);
    server.send("POST", "/v2/a/blobs/uploads/", &[], "").await.expect(202);
    let token = server.token("", "repository:a:pull,push").await;
    server.bear(&token, "POST", "/v2/a/blobs/uploads/").await.expect(202);
}
