//! The address that a challenge names.

use super::*;

async fn realm_of(server: &Server, forwarded: Forwarded, target: &str, fields: &[(&str, &str)]) -> String {
    let reply = server.send_from(forwarded, "GET", target, fields, "").await.expect(401);
    let challenge = reply.challenge();
    match challenge.strip_prefix("Bearer realm=\"") {
        Some(rest) => rest.split('"').next().unwrap().to_owned(),
        None => challenge.to_owned(),
    }
}

#[tokio::test]
async fn it_is_the_one_that_the_client_used() {
    let server = Server::new(Anonymous::None).await;
    let none = Forwarded::default;
    for (host, expected) in [
        ("registry.example", "http://registry.example/token"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000/token"),
        ("[::1]:5000", "http://[::1]:5000/token"),
    ] {
        assert_eq!(realm_of(&server, none(), "/v2/", &[("host", host)]).await, expected);
    }
    // HTTP/2 names the host in the target.
    assert_eq!(
        realm_of(&server, none(), "http://two.example:1/v2/", &[]).await,
        "http://two.example:1/token"
    );
    let secure = Server::with(Anonymous::None, with_tls(), |_| {}).await;
    assert_eq!(realm_of(&secure, none(), "/v2/", &[]).await, "https://registry.example:5000/token");
}

#[tokio::test]
async fn a_trusted_proxys_word_counts() {
    let server = Server::new(Anonymous::None).await;
    let forwarded = Forwarded {
        scheme: Some("https"),
        host: Some("public.example".into()),
        prefix: Some("/registry".into()),
    };
    assert_eq!(realm_of(&server, forwarded, "/v2/", &[]).await, "https://public.example/registry/token");
    let secure = Server::with(Anonymous::None, with_tls(), |_| {}).await;
    let forwarded = Forwarded { scheme: Some("http"), ..Forwarded::default() };
    assert_eq!(realm_of(&secure, forwarded, "/v2/", &[]).await, "http://registry.example:5000/token");
}

#[tokio::test]
async fn what_can_be_no_host_is_not_repeated() {
    let server = Server::new(Anonymous::None).await;
    let none = Forwarded::default;
    for host in ["a\"b", "a b", "a,b", "a/b", "user@evil.example", "", "a\\b", "é.example", &"a".repeat(300)]
    {
        let realm = realm_of(&server, none(), "/v2/", &[("host", host)]).await;
        assert_eq!(realm, "Basic realm=\"berth\", charset=\"UTF-8\"", "{host:?}");
    }
    let two = [("host", "a.example"), ("host", "b.example")];
    assert!(realm_of(&server, none(), "/v2/", &two).await.starts_with("Basic "));
}

#[tokio::test]
async fn a_configured_address_wins() {
    let realm = "https://auth.example/token";
    let server = Server::with(Anonymous::None, Config::default(), |config| {
        config.tokens.realm = Some(realm.into());
        config.tokens.service = "registry.example".into();
    })
    .await;
    let reply = server.get("/v2/a/tags/list", &[("host", "evil.example")]).await.expect(401);
    assert_eq!(
        reply.challenge(),
        "Bearer realm=\"https://auth.example/token\",service=\"registry.example\",scope=\"repository:a:pull\""
    );
    let fields = [("authorization", &*basic("ann", "secret"))];
    server.get("/token?service=registry.example", &fields).await.expect(200);
    server.get("/token?service=harbor-registry", &fields).await.expect(200);
    server.get("/token?service=berth", &fields).await.expect(400);
}
