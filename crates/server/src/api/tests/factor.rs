//! A second factor by its owner's own hand, and what comes with it.

use berth_access::Enrolment;

use super::*;

const PATH: &str = "/me/second-factor";

impl Server {
    /// Calls with a browser's session.
    pub(super) async fn by_session(&self, cookie: &str, method: &str, path: &str, body: Value) -> Reply {
        let cookie = format!("__Host-berth_session={cookie}");
        let headers = [("cookie", &*cookie), ("x-berth-csrf", "1"), ("content-type", "application/json")];
        self.send("anonymous", method, path, &headers, body.to_string()).await
    }

    pub(super) async fn session(&self, name: &str, code: Option<&str>) -> String {
        let caller = self.app.access.log_in(name, PASSWORD, code).await.unwrap();
        self.app.access.begin_session(&caller).await.unwrap().reveal().to_owned()
    }

    /// A code that was not used yet: of the step before, of this one, of the next.
    fn code(secret: &Value, step: i64) -> Value {
        let authenticator = Enrolment::from_base32(secret.as_str().unwrap()).unwrap();
        json!({ "code": authenticator.code_at(Clock::system().now().as_second() + 30 * step) })
    }
}

#[tokio::test]
async fn people_have_confirm_and_remove_a_second_factor() {
    let server = Server::start().await;
    let with = |password: Value| Some(json!({ "password": password }));
    server.ask("dev", "POST", PATH, with("guess".into())).await.refused(401, "unauthenticated");
    server.ask("anonymous", "POST", PATH, with(PASSWORD.into())).await.refused(401, "unauthenticated");
    server.ask(ROBOT, "POST", PATH, with(Value::Null)).await.refused(400, "invalid");
    let session = server.session("dev", None).await;
    let asked = server.by_session(&session, "POST", PATH, json!({})).await.refused(400, "invalid");
    assert!(asked.json["detail"].as_str().unwrap().contains("give your password"));
    server.by_session(&session, "PUT", PATH, json!({ "code": "000000" })).await.refused(409, "not_here");

    let begun = server.by_session(&session, "POST", PATH, json!({ "password": PASSWORD })).await.expect(201);
    let secret = &begun.json["secret"];
    let url = begun.json["url"].as_str().unwrap();
    assert!(
        url.starts_with("otpauth://totp/berth:dev?secret=") && begun.header("cache-control") == "no-store"
    );
    server.by_session(&session, "PUT", PATH, json!({ "code": "000000" })).await.refused(400, "invalid");
    assert!(!server.ask("dev", "GET", "/users/dev", None).await.json["second_factor"].as_bool().unwrap());
    server.by_session(&session, "PUT", PATH, Server::code(secret, -1)).await.expect(204);

    // The session had proved a password alone, which is not enough any more.
    server.by_session(&session, "GET", "/me/application-passwords", json!({})).await.expect(401);
    server.ask("dev", "GET", "/me", None).await.refused(401, "unauthenticated");
    let code = Server::code(secret, 0);
    let session = server.session("dev", code["code"].as_str()).await;
    let again = server.by_session(&session, "POST", PATH, json!({ "password": PASSWORD })).await;
    again.refused(409, "not_here");
    server.by_session(&session, "DELETE", PATH, code).await.refused(400, "invalid");
    server.by_session(&session, "DELETE", PATH, Server::code(secret, 1)).await.expect(204);
    server.by_session(&session, "GET", "/me/application-passwords", json!({})).await.expect(401);
    server.ask("dev", "DELETE", PATH, Some(json!({ "code": "000000" }))).await.refused(409, "not_here");
    let dev = server.ask("sys", "GET", "/users/dev", None).await.expect(200);
    assert_eq!(dev.json["second_factor"], false);
}

#[tokio::test]
async fn an_application_password_changes_no_second_factor() {
    let server = Server::start().await;
    let new = json!({ "name": "laptop", "days": 1 });
    let made = server.ask("dev", "POST", "/me/application-passwords", Some(new)).await.expect(201);
    let secret = made.json["secret"].as_str().unwrap();
    let headers = [("content-type", "application/json")];
    let body = json!({ "password": PASSWORD }).to_string();
    let refused = server.send_as("dev", secret, "POST", PATH, &headers, body).await;
    refused.refused(403, "application_password");
}

#[tokio::test]
async fn codes_and_passwords_are_not_guessed_here_either() {
    let server = Server::start().await;
    let mut answers = Vec::new();
    for n in 0..12 {
        let guess = json!({ "password": format!("guess {n}") });
        answers.push(server.ask("gus", "POST", PATH, Some(guess)).await.status);
    }
    // After five the account is locked, and the right one is no better than another.
    assert!(answers.iter().all(|status| *status == 401), "{answers:?}");
    let right = server.ask("gus", "POST", PATH, Some(json!({ "password": PASSWORD }))).await;
    right.refused(401, "unauthenticated");
}
