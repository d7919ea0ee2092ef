//! From a shell: a password and a code once, then a token for some minutes.

use berth_access::{Enrolment, Sealer};

use super::*;

/// Seals by turning bits.
struct Turned;

impl Sealer for Turned {
    fn seal(&self, _: &str, secret: &[u8]) -> Result<Vec<u8>, String> {
        Ok(secret.iter().map(|byte| !byte).collect())
    }

    fn open(&self, _: &str, sealed: &[u8]) -> Result<Vec<u8>, String> {
        Ok(sealed.iter().map(|byte| !byte).collect())
    }
}

/// A server on which the administrator has a second factor, and a code that is good now.
async fn with_factor() -> (Server, String) {
    let mut server = Server::start().await;
    let subjects = vec!["user:root".parse().unwrap()];
    let binding = BindingConfig { role: "administrator".to_owned(), subjects, project: None };
    let config = berth_access::Config { bindings: vec![binding], ..Default::default() };
    let registry = server.app.registry.clone();
    let accounts = Accounts::new(registry.catalog().clone(), &config, Some(Arc::new(Turned)));
    let (enrolment, now) = (Enrolment::generate().unwrap(), registry.catalog().clock().now().as_second());
    let first = enrolment.code_at(now - 30);
    accounts.enable_totp("root", &enrolment, &first, &Author::from("test")).await.unwrap();
    let catalog = registry.catalog().clone();
    let access = Access::open_with_accounts(&config, registry.read_only(), &catalog, Some(accounts)).await;
    server.app = Arc::new(App::new(Config::default(), access.unwrap(), registry, Clock::system()));
    server.calls = router(&server.app);
    (server, enrolment.code_at(now))
}

const JSON: (&str, &str) = ("content-type", "application/json");

/// Calls with nothing but a token.
async fn by_token(server: &Server, token: &str, method: &str, path: &str, body: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    server.send("anonymous", method, path, &[JSON, ("authorization", &bearer)], body.to_owned()).await
}

#[tokio::test]
async fn an_administrator_with_a_second_factor_gets_a_token_for_a_code() {
    let (server, code) = with_factor().await;
    let refused = server.ask("root", "GET", "/me", None).await.refused(401, "unauthenticated");
    assert!(refused.json["detail"].as_str().unwrap().contains("X-Berth-OTP"), "{}", refused.json);
    let ask = async |code: &str| {
        server.send("root", "POST", "/me/tokens", &[("x-berth-otp", code)], String::new()).await
    };
    ask("000000").await.refused(401, "unauthenticated");
    let made = ask(&code).await.expect(201);
    assert_eq!(made.header("cache-control"), "no-store");
    ask(&code).await.refused(401, "unauthenticated");
    let token = made.json["token"].as_str().unwrap();
    for name in ["one", "two"] {
        let body = json!({ "name": name }).to_string();
        by_token(&server, token, "POST", "/projects", &body).await.expect(201);
    }
    let me = by_token(&server, token, "GET", "/me", "").await.expect(200);
    assert_eq!((&me.json["name"], &me.json["proof"]), (&json!("root"), &json!("api_token")));
    // It makes no other, so it is over when it is over.
    by_token(&server, token, "POST", "/me/tokens", "").await.refused(403, "application_password");
    // And no other door knows it.
    let bearer = format!("Bearer {token}");
    assert!(server.app.access.authenticate(Some(&bearer)).await.is_err());
    by_token(&server, token, "DELETE", "/users/root/sessions", "").await.expect(204);
    by_token(&server, token, "GET", "/me", "").await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn searches_of_the_trail_take_a_code_and_a_token_as_well() {
    let (server, code) = with_factor().await;
    let basic = format!("Basic {}", STANDARD.encode(format!("root:{PASSWORD}")));
    let search = async |authorization: &str, code: Option<&str>| {
        let mut request = Request::get("/api/v1/audit/_count").header("authorization", authorization);
        if let Some(code) = code {
            request = request.header("x-berth-otp", code);
        }
        let request = request.body(Full::new(Bytes::new())).unwrap();
        let mut context = context(&request);
        crate::audit::handle(&server.app, &mut context, request).await.status().as_u16()
    };
    // No trail is kept here, which only those hear who may read it.
    assert_eq!(search(&basic, None).await, 401);
    assert_eq!(search(&basic, Some("000000")).await, 401);
    assert_eq!(search(&basic, Some(&code)).await, 404);
    assert_eq!(search(&basic, Some(&code)).await, 401, "a code is good for one call");
    let caller = server.app.access.log_in("root", PASSWORD, None).await;
    assert!(caller.is_err(), "the password alone opens nothing");

    let server = Server::start().await;
    let token = server.ask("aud", "POST", "/me/tokens", None).await.expect(201).json["token"].clone();
    let request = Request::get("/api/v1/audit/_count")
        .header("authorization", format!("Bearer {}", token.as_str().unwrap()))
        .body(Full::new(Bytes::new()))
        .unwrap();
    let mut context = context(&request);
    assert_eq!(crate::audit::handle(&server.app, &mut context, request).await.status(), 404);
    assert_eq!(context.caller.unwrap().name(), "aud");
}

#[tokio::test]
async fn tokens_are_for_people_who_came_in_person() {
    let server = Server::start().await;
    let made = server.ask("gus", "POST", "/me/tokens", None).await.expect(201);
    let token = made.json["token"].as_str().unwrap();
    by_token(&server, token, "GET", "/users", "").await.refused(403, "forbidden");
    by_token(&server, &token[..token.len() - 1], "GET", "/me", "").await.refused(401, "unauthenticated");
    server.ask(ROBOT, "POST", "/me/tokens", None).await.refused(400, "invalid");
    server.ask("anonymous", "POST", "/me/tokens", None).await.refused(401, "unauthenticated");
    let new = json!({ "name": "laptop", "days": 1 });
    let made = server.ask("dev", "POST", "/me/application-passwords", Some(new)).await.expect(201);
    let secret = made.json["secret"].as_str().unwrap();
    let refused =
        server.send_as("dev", secret, "POST", "/me/tokens", &[("x-berth-otp", "1")], String::new()).await;
    refused.refused(403, "application_password");

    // A browser's session gets one as well, with the header that pages of others can't send.
    let caller = server.app.access.log_in("dev", PASSWORD, None).await.unwrap();
    let cookie = server.app.access.begin_session(&caller).await.unwrap();
    let cookie = format!("__Host-berth_session={}", cookie.reveal());
    let session = ("cookie", cookie.as_str());
    for (headers, status) in [(vec![session], 403), (vec![session, ("x-berth-csrf", "1")], 201)] {
        server.send("anonymous", "POST", "/me/tokens", &headers, String::new()).await.expect(status);
    }
}
