//! Somebody is left who may say who may do what, by all rules together.

use super::*;

fn role(name: &str, pattern: &str, actions: &[&str], effect: &str) -> Value {
    let policies = json!([{ "resources": [pattern], "actions": actions, "effect": effect }]);
    json!({ "name": name, "policies": policies })
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let server = Server::start().await;
    server.ask("root", "DELETE", "/users/sec", None).await.expect(204);
    server.ask("root", "DELETE", "/users/root", None).await.refused(409, "last_administrator");
    let change = json!({ "disabled": true, "email": "root@example.org" });
    server.ask("root", "PATCH", "/users/root", Some(change)).await.refused(409, "last_administrator");
    let root = server.ask("root", "GET", "/users/root", None).await.expect(200);
    assert_eq!(root.json["email"], Value::Null, "all of a change or nothing");
    let body = json!({ "subject": "user:sys", "role": "security-administrator" });
    server.ask("root", "POST", "/bindings", Some(body)).await.expect(201);
    server.ask("root", "DELETE", "/users/root", None).await.expect(204);
    server.ask("root", "GET", "/me", None).await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn nobody_locks_everybody_out_by_a_denial() {
    let server = Server::start().await;
    let denies = || role("no", "system/access", &["administer"], "deny");
    server.ask("root", "POST", "/roles", Some(denies())).await.expect(201);
    for subject in ["anonymous", "authenticated"] {
        let body = json!({ "subject": subject, "role": "no" });
        server.ask("root", "POST", "/bindings", Some(body)).await.refused(409, "last_administrator");
    }
    // Nor by a role that everybody holds already.
    let harmless = role("all", "project/*", &["list"], "allow");
    server.ask("root", "POST", "/roles", Some(harmless)).await.expect(201);
    let body = json!({ "subject": "authenticated", "role": "all" });
    server.ask("root", "POST", "/bindings", Some(body)).await.expect(201);
    let mut changed = denies();
    changed.as_object_mut().unwrap().remove("name");
    server.ask("root", "PUT", "/roles/all", Some(changed)).await.refused(409, "last_administrator");
    server.ask("root", "GET", "/bindings", None).await.expect(200);
}

#[tokio::test]
async fn nobody_locks_everybody_out_by_a_second_duty() {
    let server = Server::start_with(|config| {
        config.separation_of_duties = true;
        config.bindings.retain(|binding| binding.role != "administrator");
    })
    .await;
    let harmless = role("all", "project/*", &["list"], "allow");
    server.ask("sec", "POST", "/roles", Some(harmless)).await.expect(201);
    let body = json!({ "subject": "user:gus", "role": "all" });
    server.ask("sec", "POST", "/bindings", Some(body)).await.expect(201);
    let reply = server
        .ask("sec", "POST", "/bindings", Some(json!({ "subject": "authenticated", "role": "all" })))
        .await;
    assert_eq!(reply.status, 403, "everybody is the caller, too: {}", reply.json);
    // Who holds it would come to two duties.
    let duty = json!({ "subject": "user:gus", "role": "audit-administrator" });
    server.ask("sec", "POST", "/bindings", Some(duty)).await.expect(201);
    let second = json!({ "policies": [{ "resources": ["system/configuration"], "actions": ["update"] }] });
    server.ask("sec", "PUT", "/roles/all", Some(second)).await.refused(409, "separation_of_duties");
}

#[tokio::test]
async fn a_group_that_may_be_empty_is_nobody() {
    let server = Server::start().await;
    let body = json!({ "subject": "group:admins", "role": "administrator" });
    server.ask("root", "POST", "/bindings", Some(body)).await.expect(201);
    server.ask("root", "DELETE", "/users/sec", None).await.expect(204);
    server.ask("root", "DELETE", "/users/root", None).await.refused(409, "last_administrator");
}
