//! `POST /token`, as containerd, oras and docker with a kept refresh token do.

use super::*;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

async fn post(server: &Server, form: &str) -> Reply {
    server.send("POST", "/token", &[FORM], form).await
}

#[tokio::test]
async fn a_password_buys_a_token_and_a_refresh_token() {
    let server = Server::new(Anonymous::None).await;
    let form = "grant_type=password&client_id=containerd-client&service=berth&username=ann&password=secret&\
                scope=repository:a/b:pull,push+repository:c:pull&access_type=offline";
    let answer = post(&server, form).await.expect(200).json();
    assert_eq!(answer["scope"], "repository:a/b:pull,push repository:c:pull");
    assert_eq!(answer["token_type"], "Bearer");
    let token = answer["access_token"].as_str().unwrap();
    server.bear(token, "POST", "/v2/a/b/blobs/uploads/").await.expect(202);
    let refresh = answer["refresh_token"].as_str().unwrap();

    let form = format!(
        "grant_type=refresh_token&client_id=docker&service=berth&refresh_token={refresh}&scope=repository:a/b:pull"
    );
    let answer = post(&server, &form).await.expect(200).json();
    assert_eq!(answer["refresh_token"], refresh, "it stays good, and clients that forget it need it said");
    assert_eq!(answer["scope"], "repository:a/b:pull");
    let token = answer["access_token"].as_str().unwrap();
    server.bear(token, "POST", "/v2/a/b/blobs/uploads/").await.expect(401);
}

#[tokio::test]
async fn forms_that_prove_nothing_are_refused_in_the_words_of_oauth2() {
    let server = Server::new(Anonymous::Read).await;
    for (form, status, error) in [
        ("", 400, "invalid_request"),
        ("grant_type=password", 400, "invalid_request"),
        ("grant_type=password&username=ann", 400, "invalid_request"),
        ("grant_type=refresh_token", 400, "invalid_request"),
        ("grant_type=authorization_code&code=x", 400, "unsupported_grant_type"),
        ("grant_type=password&username=ann&password=wrong", 401, "invalid_grant"),
        ("grant_type=password&username=ann&password=", 401, "invalid_grant"),
        ("grant_type=password&username=&password=", 400, "invalid_request"),
        // It would be ann with the password "secret:x", or the other way round.
        ("grant_type=password&username=ann:secret&password=x", 400, "invalid_request"),
        ("grant_type=refresh_token&refresh_token=berth_t_wrong", 401, "invalid_grant"),
        ("grant_type=password&username=ann&password=secret&service=other", 400, "invalid_request"),
        ("grant_type=password&username=ann%0d%0aX:&password=secret", 400, "invalid_request"),
    ] {
        let reply = post(&server, form).await;
        assert_eq!(
            (reply.status.as_u16(), reply.json()["error"].as_str().unwrap()),
            (status, error),
            "{form}"
        );
        assert!(!String::from_utf8_lossy(&reply.body).contains("secret"), "{form}");
        assert!(!reply.json()["error_description"].as_str().unwrap().is_empty());
    }
    let large = format!("grant_type=password&username=ann&password={}", "x".repeat(70_000));
    assert!(post(&server, &large).await.expect(400).message().contains("64 KiB"));
    let reply = server.send("PUT", "/token", &[], "").await.expect(405);
    assert_eq!(reply.header("allow"), "GET, HEAD, POST");
}

#[tokio::test]
async fn a_token_can_not_be_exchanged_for_a_wider_one() {
    let server = Server::new(Anonymous::None).await;
    let token = server.token("ann", "repository:a/b:pull").await;
    let target = "/token?service=berth&scope=repository:a/b:pull,push";
    let reply = server.bear(&token, "GET", target).await.expect(401);
    assert!(reply.message().starts_with("a token proves nothing here"));
    let form = format!("grant_type=refresh_token&refresh_token={token}");
    post(&server, &form).await.expect(401);
}
