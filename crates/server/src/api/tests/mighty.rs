//! Whoever acts as somebody, or stops somebody, may do no less.

use super::*;

#[tokio::test]
async fn whom_one_may_not_act_as_is_not_stopped_first_and_revived_later() {
    let server = Server::start().await;
    let disabled = |disabled: bool| Some(json!({ "disabled": disabled }));
    let password = || Some(json!({ "password": "Other-12345" }));
    for whom in ["sec", "aud", "root"] {
        let path = format!("/users/{whom}");
        server.ask("sys", "PATCH", &path, disabled(true)).await.refused(403, "mightier");
        for (method, below) in [("DELETE", ""), ("DELETE", "/lock"), ("DELETE", "/sessions")] {
            server.ask("sys", method, &format!("{path}{below}"), None).await.refused(403, "mightier");
        }
    }
    // Disabled by somebody who may: it shows no rights now, and would again.
    server.ask("root", "PATCH", "/users/sec", disabled(true)).await.expect(200);
    server.ask("sys", "PUT", "/users/sec/password", password()).await.refused(403, "mightier");
    server.ask("sys", "DELETE", "/users/sec/second-factor", None).await.refused(403, "mightier");
    server.ask("sys", "PATCH", "/users/sec", disabled(false)).await.refused(403, "mightier");
    server.ask("sys", "DELETE", "/users/sec", None).await.refused(403, "mightier");
    // What anybody has who may say nothing to the system is no obstacle to stopping it, and is one to acting as it.
    server.ask("sys", "PATCH", "/users/dev", disabled(true)).await.expect(200);
    server.ask("sys", "PUT", "/users/dev/password", password()).await.refused(403, "mightier");
    server.ask("root", "PUT", "/users/dev/password", password()).await.expect(204);
}

#[tokio::test]
async fn a_robot_is_measured_by_all_that_its_name_holds_wherever_that_is() {
    let server = Server::start().await;
    let secrets = "/projects/team/robots/ci/secrets";
    let member = json!({ "subject": ROBOT, "role": "maintainer" });
    let bound = server.ask("bob", "POST", "/projects/other/members", Some(member)).await.expect(201);
    server.ask("alice", "POST", secrets, Some(json!({}))).await.refused(403, "mightier");
    // Disabled it holds nothing, until somebody enables it.
    let disabled = |disabled: bool| Some(json!({ "disabled": disabled }));
    server.ask("alice", "PATCH", "/projects/team/robots/ci", disabled(true)).await.expect(200);
    server.ask("alice", "POST", secrets, Some(json!({}))).await.refused(403, "mightier");
    server.ask("alice", "PATCH", "/projects/team/robots/ci", disabled(false)).await.expect(200);
    let path = format!("/projects/other/members/{}", bound.json["id"]);
    server.ask("bob", "DELETE", &path, None).await.expect(204);
    server.ask("alice", "POST", secrets, Some(json!({}))).await.expect(201);
}

#[tokio::test]
async fn who_says_who_may_do_what_gets_no_contents_by_a_robot_of_the_system() {
    let server = Server::start().await;
    let policies = json!([{ "resources": ["system/jobs"], "actions": ["read"] }]);
    let robot = json!({ "name": "x", "days": 1, "policies": policies });
    server.ask("root", "POST", "/robots", Some(robot)).await.expect(201);
    let body = json!({ "subject": "robot+x", "role": "maintainer" });
    server.ask("root", "POST", "/bindings", Some(body)).await.expect(201);
    server.ask("sec", "POST", "/robots/x/secrets", Some(json!({}))).await.refused(403, "mightier");
    server.ask("root", "POST", "/robots/x/secrets", Some(json!({}))).await.expect(201);
}

#[tokio::test]
async fn what_is_denied_in_a_project_is_not_got_by_a_robot_of_the_system() {
    let server = Server::start_with(|config| {
        let everywhere = |role: &str| BindingConfig {
            role: role.to_owned(),
            subjects: vec!["user:bob".parse().unwrap()],
            project: None,
        };
        config.bindings.extend([everywhere("maintainer"), everywhere("security-administrator")]);
    })
    .await;
    let robot = |name: &str, pattern: &str| {
        let policies = json!([{ "resources": [pattern], "actions": ["pull"] }]);
        Some(json!({ "name": name, "days": 1, "policies": policies }))
    };
    server.ask("bob", "POST", "/robots", robot("before", "project/*")).await.expect(201);
    let deny = json!([{ "resources": ["project/*"], "actions": ["pull"], "effect": "deny" }]);
    server
        .ask("root", "POST", "/roles", Some(json!({ "name": "no-pull", "policies": deny })))
        .await
        .expect(201);
    let member = json!({ "subject": "user:bob", "role": "no-pull" });
    server.ask("root", "POST", "/projects/team/members", Some(member)).await.expect(201);
    for pattern in ["project/*", "project/**", "project/te*", "project/team", "project/*/repository/x"] {
        server.ask("bob", "POST", "/robots", robot("after", pattern)).await.refused(403, "beyond");
    }
    server.ask("bob", "POST", "/robots", robot("elsewhere", "project/other")).await.expect(201);
}
