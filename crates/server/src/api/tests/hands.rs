//! Where duties are kept apart, robots are hands of those who know their secrets.

use super::*;

/// `sec` and `victim` say who may do what, each without the other.
async fn apart() -> Server {
    Server::start_with(|config| {
        config.separation_of_duties = true;
        config.bindings.retain(|binding| binding.role != "administrator");
        config.bindings.push(BindingConfig {
            role: "security-administrator".to_owned(),
            subjects: vec!["user:victim".parse().unwrap()],
            project: None,
        });
    })
    .await
}

fn robot(name: &str) -> Value {
    let policies = json!([{ "resources": ["system/access"], "actions": ["administer", "read"] }]);
    json!({ "name": name, "days": 1, "policies": policies })
}

fn bind(subject: &str, role: &str) -> Value {
    json!({ "subject": subject, "role": role })
}

#[tokio::test]
async fn a_robot_grants_nothing() {
    let server = apart().await;
    let made = server.ask("sec", "POST", "/robots", Some(robot("r"))).await.expect(201);
    let secret = made.json["secret"].as_str().unwrap();
    let by_robot = async |path: &str, body: Value| {
        let json = [("content-type", "application/json")];
        server.send_as("robot+r", secret, "POST", path, &json, body.to_string()).await
    };
    by_robot("/bindings", bind("user:sec", "maintainer")).await.expect(403);
    by_robot("/bindings", bind("user:gus", "maintainer")).await.expect(403);
    by_robot("/projects/team/members", bind("user:gus", "guest")).await.expect(404);
    by_robot("/robots", robot("r2")).await.expect(403);
    by_robot("/roles", json!({ "name": "own", "policies": [] })).await.expect(403);
}

#[tokio::test]
async fn who_knows_a_robots_secret_does_not_say_what_it_may_do() {
    let server = apart().await;
    server.ask("sec", "POST", "/robots", Some(robot("mine"))).await.expect(201);
    server
        .ask("sec", "POST", "/bindings", Some(bind("robot+mine", "maintainer")))
        .await
        .refused(403, "own_robot");
    server
        .ask("sec", "POST", "/projects/team/members", Some(bind("robot+mine", "guest")))
        .await
        .refused(403, "own_robot");
    server.ask("victim", "POST", "/bindings", Some(bind("robot+mine", "guest"))).await.expect(201);

    // A colleague's robot, until one asks for its secret.
    server.ask("victim", "POST", "/robots", Some(robot("theirs"))).await.expect(201);
    let bound =
        server.ask("sec", "POST", "/bindings", Some(bind("robot+theirs", "auditor"))).await.expect(201);
    let path = format!("/bindings/{}", bound.json["id"]);
    server.ask("sec", "DELETE", &path, None).await.expect(204);
    server.ask("sec", "POST", "/robots/theirs/secrets", Some(json!({}))).await.expect(201);
    server
        .ask("sec", "POST", "/bindings", Some(bind("robot+theirs", "auditor")))
        .await
        .refused(403, "own_robot");
}

#[tokio::test]
async fn a_role_that_an_own_robot_holds_is_changed_by_somebody_else() {
    let server = apart().await;
    server.ask("sec", "POST", "/robots", Some(robot("mine"))).await.expect(201);
    let role = |pattern: &str| json!([{ "resources": [pattern], "actions": ["pull"] }]);
    let new = json!({ "name": "ci", "policies": role("project/team") });
    server.ask("victim", "POST", "/roles", Some(new)).await.expect(201);
    server.ask("victim", "POST", "/bindings", Some(bind("robot+mine", "ci"))).await.expect(201);
    let wider = || Some(json!({ "policies": role("project/*") }));
    server.ask("sec", "PUT", "/roles/ci", wider()).await.refused(403, "own_robot");
    server.ask("victim", "PUT", "/roles/ci", wider()).await.expect(200);
}

#[tokio::test]
async fn a_secret_and_a_role_at_once_are_one_of_the_two() {
    let server = apart().await;
    for round in 0..10 {
        let name = format!("r{round}");
        server.ask("victim", "POST", "/robots", Some(robot(&name))).await.expect(201);
        let (subject, secrets) = (format!("robot+{name}"), format!("/robots/{name}/secrets"));
        let (bound, rotated) = tokio::join!(
            server.ask("sec", "POST", "/bindings", Some(bind(&subject, "maintainer"))),
            server.ask("sec", "POST", &secrets, Some(json!({}))),
        );
        let both = bound.status == 201 && rotated.status == 201;
        assert!(!both, "{round}: whoever says who may do what has the secret of a maintainer");
        assert!(bound.status == 201 || rotated.status == 201, "{}, {}", bound.json, rotated.json);
    }
}

#[tokio::test]
async fn nobody_gets_a_role_through_a_password_that_somebody_chose_for_somebody_else() {
    let server = apart().await;
    let new = json!({ "name": "puppet", "password": "Start-12345" });
    server.ask("sys", "POST", "/users", Some(new)).await.expect(201);
    let role = || Some(bind("user:puppet", "guest"));
    server.ask("sec", "POST", "/bindings", role()).await.refused(409, "password_not_own");
    server.ask("sec", "POST", "/projects/team/members", role()).await.refused(409, "password_not_own");
    let change = json!({ "name": "puppet", "old": "Start-12345", "new": "Own-Choice-12345" });
    server.ask("anonymous", "PUT", "/password", Some(change)).await.expect(204);
    server.ask("sec", "POST", "/bindings", role()).await.expect(201);
}
