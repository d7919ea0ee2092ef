//! The flow of the token specification, as docker goes through it.

use super::*;

#[tokio::test]
async fn docker_is_challenged_gets_a_token_and_pushes() {
    let server = Server::new(Anonymous::None).await;
    let reply = server.get("/v2/", &[]).await.expect(401);
    assert_eq!(reply.challenge(), "Bearer realm=\"http://registry.example:5000/token\",service=\"berth\"");
    let token = server.token("ann", "").await;
    server.bear(&token, "GET", "/v2/").await.expect(200);
    let reply = server.bear(&token, "POST", "/v2/a/b/blobs/uploads/").await.expect(401);
    assert_eq!(
        reply.challenge(),
        "Bearer realm=\"http://registry.example:5000/token\",service=\"berth\",scope=\"repository:a/b:pull,push\",\
         error=\"insufficient_scope\""
    );
    assert_eq!(
        reply.message(),
        "user ann may not push a/b: the token was not made for push on project/a/repository/b; ask for a token that is made for it"
    );
    let token = server.token("ann", "repository:a/b:pull,push").await;
    let reply = server.bear(&token, "POST", "/v2/a/b/blobs/uploads/").await.expect(202);
    assert_eq!(reply.context.caller.unwrap().name(), "ann");
}

#[tokio::test]
async fn the_answer_has_every_field_that_clients_read() {
    let server = Server::new(Anonymous::None).await;
    let target =
        "/token?service=berth&client_id=docker&account=ann&offline_token=true&scope=repository:a/b:pull";
    let reply = server.get(target, &[("authorization", &basic("ann", "secret"))]).await.expect(200);
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!((reply.header("cache-control"), reply.header("pragma")), ("no-store", "no-cache"));
    let answer = reply.json();
    assert_eq!(answer["token"], answer["access_token"]);
    assert_eq!(answer["expires_in"], 300);
    let issued_at: jiff::Timestamp = answer["issued_at"].as_str().unwrap().parse().unwrap();
    assert!(answer["issued_at"].as_str().unwrap().ends_with('Z') && issued_at.subsec_nanosecond() == 0);
    assert!(answer["refresh_token"].as_str().unwrap().starts_with("berth_t_"));
    assert_eq!(reply.context.endpoint, Endpoint::Token);
    assert_eq!(reply.context.caller.unwrap().name(), "ann");
    let reply = server.get("/token", &[("authorization", &basic("ann", "secret"))]).await.expect(200);
    assert!(reply.json().get("refresh_token").is_none(), "only who asks for one gets one");
}

#[tokio::test]
async fn without_credentials_everybody_gets_what_everybody_may() {
    let server = Server::new(Anonymous::Read).await;
    let digest = server.push_blob("a/b", "x").await;
    let blob = format!("/v2/a/b/blobs/{digest}");
    // Who asks at the door first, as docker does, is sent for a token and gets one.
    server.get("/v2/", &[]).await.expect(401);
    let token = server.token("", "repository:a/b:pull").await;
    server.bear(&token, "GET", "/v2/").await.expect(200);
    server.bear(&token, "GET", &blob).await.expect(200);
    // Who just comes in is served as well.
    server.get(&blob, &[]).await.expect(200);
    // To push, a token for everybody does not do.
    let token = server.token("", "repository:a/b:pull,push").await;
    let reply = server.bear(&token, "POST", "/v2/a/b/blobs/uploads/").await.expect(401);
    assert!(reply.challenge().ends_with(",scope=\"repository:a/b:pull,push\""), "{}", reply.challenge());
    assert_eq!(reply.message(), "credentials needed to push a/b; log in as a user who may push");
}

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
