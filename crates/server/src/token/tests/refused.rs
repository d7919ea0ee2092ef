//! Credentials and tokens that prove nothing.

use super::*;

#[tokio::test]
async fn wrong_credentials_are_told_at_the_door_of_tokens() {
    let server = Server::new(Anonymous::Read).await;
    for header in [basic("ann", "wrong"), basic("eve", "secret"), "Basic %%%".to_owned(), String::new()] {
        let reply = server.get("/token?service=berth", &[("authorization", &header)]).await.expect(401);
        assert_eq!(reply.json()["errors"][0]["code"], "UNAUTHORIZED");
        assert_eq!(reply.json()["error"], "invalid_grant");
        assert!(reply.challenge().starts_with("Basic "));
        assert_eq!(reply.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn guessing_passwords_is_limited_at_the_door_of_tokens_too() {
    let mut http = Config::default();
    http.rate_limits.exempt.clear();
    http.rate_limits.login.burst = 3;
    let server = Server::with(Anonymous::Read, http, |_| {}).await;
    for attempt in 0..3 {
        let wrong = basic("ann", &format!("wrong{attempt}"));
        server.get("/token", &[("authorization", &wrong)]).await.expect(401);
    }
    let form = "grant_type=password&username=ann&password=secret";
    let reply = server.send("POST", "/token", &[], form).await.expect(429);
    assert_eq!(reply.json()["errors"][0]["code"], "TOOMANYREQUESTS");
    assert!(reply.header("retry-after").parse::<u64>().unwrap() > 0);
    server.token("", "").await;
}

#[tokio::test]
async fn basic_credentials_do_without_a_token_still() {
    let server = Server::new(Anonymous::None).await;
    server.get("/v2/", &[("authorization", &basic("ann", "secret"))]).await.expect(200);
    let reply = server.get("/v2/", &[("authorization", &basic("ann", "wrong"))]).await.expect(401);
    assert!(reply.challenge().starts_with("Bearer realm=") && !reply.challenge().contains("error"));
    assert_eq!(reply.headers.get_all("www-authenticate").iter().count(), 1, "docker would answer both");
}

#[tokio::test]
async fn a_token_that_is_none_says_so_in_the_challenge() {
    let server = Server::new(Anonymous::Read).await;
    let reply = server.bear("a.b.c", "GET", "/v2/a/b/manifests/x").await.expect(401);
    assert!(
        reply.challenge().ends_with(",scope=\"repository:a/b:pull\",error=\"invalid_token\""),
        "{}",
        reply.challenge()
    );
    assert!(!reply.message().contains("a.b.c"));
}
