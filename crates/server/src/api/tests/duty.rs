//! Nobody gets more than they have, and each change says who made it.

use berth_catalog::event;

use super::*;

#[tokio::test]
async fn nobody_gives_themselves_more() {
    let server = Server::start().await;
    for (who, method, path, body) in [
        ("dev", "POST", "/projects/team/members", json!({ "subject": "user:dev", "role": "project-admin" })),
        ("alice", "POST", "/bindings", json!({ "subject": "user:alice", "role": "administrator" })),
        ("alice", "POST", "/roles", json!({ "name": "mine", "policies": [] })),
        ("sys", "POST", "/bindings", json!({ "subject": "user:sys", "role": "administrator" })),
        ("aud", "POST", "/bindings", json!({ "subject": "user:aud", "role": "administrator" })),
        // Whoever sets a password can log in with it.
        ("sys", "PUT", "/users/root/password", json!({ "password": "Other-12345" })),
        ("sys", "PUT", "/users/sec/password", json!({ "password": "Other-12345" })),
        // Whoever makes a robot knows its secret.
        (
            "sec",
            "POST",
            "/robots",
            json!({ "name": "e", "days": 1, "policies": [{ "resources": ["system/audit"], "actions": ["administer"] }] }),
        ),
        (
            "sec",
            "POST",
            "/robots",
            json!({ "name": "e", "days": 1, "policies": [{ "resources": ["project/**"], "actions": ["pull"] }] }),
        ),
    ] {
        server.ask(who, method, path, Some(body)).await.expect(403);
    }
    // A role in a project never reaches out of it, whatever it says.
    let role = json!({ "name": "wide", "policies": [{ "resources": ["**"], "actions": ["administer"] }] });
    server.ask("root", "POST", "/roles", Some(role)).await.expect(201);
    let member = json!({ "subject": "user:alice", "role": "wide" });
    server.ask("alice", "POST", "/projects/team/members", Some(member)).await.expect(201);
    server.ask("alice", "GET", "/users", None).await.expect(403);
    server.ask("alice", "GET", "/projects/other", None).await.expect(404);
    // A robot of a project stays in it.
    let robot =
        json!({ "name": "e", "days": 1, "policies": [{ "resources": ["project/*"], "actions": ["pull"] }] });
    server.ask("alice", "POST", "/projects/team/robots", Some(robot)).await.refused(400, "invalid");
}

#[tokio::test]
async fn an_account_is_not_made_to_get_what_waits_for_its_name() {
    let server = Server::start().await;
    let body = json!({ "subject": "user:later", "role": "administrator" });
    server.ask("root", "POST", "/bindings", Some(body)).await.expect(201);
    let new = || Some(json!({ "name": "later", "password": PASSWORD }));
    server.ask("sys", "POST", "/users", new()).await.refused(403, "awaited");
    server.ask("root", "POST", "/users", new()).await.expect(201);
    server.ask("root", "POST", "/users", new()).await.refused(409, "exists");
}

#[tokio::test]
async fn where_duties_are_kept_apart_nobody_changes_their_own_rights_or_holds_two() {
    let server = Server::start_with(|config| {
        config.separation_of_duties = true;
        config.bindings.retain(|binding| binding.role != "administrator");
    })
    .await;
    for (subject, role, code) in [
        ("user:sec", "guest", "forbidden"),
        ("user:sys", "audit-administrator", "separation_of_duties"),
        ("user:gus", "administrator", "separation_of_duties"),
    ] {
        let body = json!({ "subject": subject, "role": role });
        let reply = server.ask("sec", "POST", "/bindings", Some(body)).await;
        assert_eq!(reply.json["code"], code, "{subject} {role}: {}", reply.json);
    }
    let both =
        json!({ "name": "both", "policies": [{ "resources": ["system/*"], "actions": ["administer"] }] });
    server.ask("sec", "POST", "/roles", Some(both)).await.refused(409, "separation_of_duties");
    let body = json!({ "subject": "user:gus", "role": "guest" });
    server.ask("sec", "POST", "/bindings", Some(body)).await.expect(201);
}

#[tokio::test]
async fn changes_hold_at_once_and_say_who_made_them() {
    let server = Server::start().await;
    let body = json!({ "subject": "user:gus", "role": "project-admin" });
    let made = server.ask("alice", "POST", "/projects/team/members", Some(body)).await.expect(201);
    assert_eq!(made.json["created_by"], "alice");
    let path = made.header("location").strip_prefix("/api/v1").unwrap().to_owned();
    server.ask("gus", "PATCH", "/projects/team", Some(json!({ "public": true }))).await.expect(200);
    server.ask("anonymous", "GET", "/projects/team", None).await.expect(200);
    server.ask("alice", "DELETE", &path, None).await.expect(204);
    server.ask("gus", "PATCH", "/projects/team", Some(json!({ "public": false }))).await.expect(403);
    server.ask("sys", "PATCH", "/users/gus", Some(json!({ "disabled": true }))).await.expect(200);
    server.ask("gus", "GET", "/me", None).await.refused(401, "unauthenticated");

    let catalog = server.app.registry.catalog();
    let events = catalog.read(async |r| event::list(r, 0, 1000).await).await.unwrap();
    let told: Vec<_> = events
        .iter()
        .filter(|event| event.caller != "test")
        .map(|event| (event.kind.as_str(), event.caller.as_str()))
        .collect();
    let expected = [
        ("binding_added", "alice"),
        ("project_changed", "gus"),
        ("binding_removed", "alice"),
        ("account_changed", "sys"),
    ];
    assert_eq!(told, expected);
    let origin = &events.last().unwrap().detail["origin"];
    assert_eq!((&origin["client"], &origin["proof"]), (&json!("127.0.0.1"), &json!("password")));
}

#[tokio::test]
async fn a_first_password_is_changed_before_anything_else() {
    let server = Server::start().await;
    let new = json!({ "name": "new", "password": "First-12345" });
    server.ask("root", "POST", "/users", Some(new)).await.expect(201);
    let none = String::new;
    server.send_as("new", "First-12345", "GET", "/me", &[], none()).await.expect(401);
    let change = |old: &str, new: &str| Some(json!({ "name": "new", "old": old, "new": new }));
    server.ask("anonymous", "PUT", "/password", change("Wrong-12345", "Better-12345")).await.expect(401);
    server.ask("anonymous", "PUT", "/password", change("First-12345", "First-12345")).await.expect(400);
    server.ask("anonymous", "PUT", "/password", change("First-12345", "simple")).await.expect(400);
    server.ask("anonymous", "PUT", "/password", change("First-12345", "Better-12345")).await.expect(204);
    server.send_as("new", "Better-12345", "GET", "/me", &[], none()).await.expect(200);
}

#[tokio::test]
async fn nobody_gives_everybody_the_system() {
    let server = Server::start().await;
    for subject in ["anonymous", "authenticated"] {
        let bind = |role: &str| Some(json!({ "subject": subject, "role": role }));
        for role in ["administrator", "security-administrator", "audit-administrator"] {
            server.ask("root", "POST", "/bindings", bind(role)).await.refused(409, "everybody");
        }
        server.ask("root", "POST", "/bindings", bind("guest")).await.expect(201);
    }
    // Nor by what a role becomes that everybody holds.
    let role = |policies: Value| Some(json!({ "name": "all", "policies": policies }));
    let harmless = json!([{ "resources": ["project/*"], "actions": ["list"] }]);
    server.ask("root", "POST", "/roles", role(harmless)).await.expect(201);
    server
        .ask("root", "POST", "/bindings", Some(json!({ "subject": "authenticated", "role": "all" })))
        .await
        .expect(201);
    for (resource, action) in
        [("system/access", "administer"), ("project/team", "administer"), ("system/users", "create")]
    {
        let more = json!({ "policies": [{ "resources": [resource], "actions": [action] }] });
        server.ask("root", "PUT", "/roles/all", Some(more)).await.refused(409, "everybody");
    }
    server.ask("anonymous", "GET", "/bindings", None).await.expect(401);
}

#[tokio::test]
async fn where_duties_are_kept_apart_who_says_who_pulls_opens_no_project_they_may_not_read() {
    let server = Server::start_with(|config| {
        config.separation_of_duties = true;
        config.bindings.retain(|binding| binding.role != "administrator");
        let policies = json!([{ "resources": ["system/projects"], "actions": ["create"] }]);
        config.roles.push(serde_json::from_value(json!({ "name": "makes", "policies": policies })).unwrap());
        let subjects = vec!["user:sec".parse().unwrap()];
        config.bindings.push(BindingConfig { role: "makes".to_owned(), subjects, project: None });
    })
    .await;
    let project = |public: bool| Some(json!({ "name": "fresh", "public": public }));
    server.ask("sec", "POST", "/projects", project(true)).await.expect(403);
    server.ask("sec", "POST", "/projects", project(false)).await.expect(201);
    server.ask("sec", "PATCH", "/projects/fresh", Some(json!({ "public": true }))).await.expect(403);
    server.ask("sec", "PATCH", "/projects/fresh", Some(json!({ "public": false }))).await.expect(200);
}

#[tokio::test]
async fn who_updates_users_ends_the_clients_of_nobody_who_may_more() {
    let server = Server::start().await;
    let mut made = Vec::new();
    for name in ["sec", "dev"] {
        let new = json!({ "name": "laptop", "days": 1 });
        let one = server.ask(name, "POST", "/me/application-passwords", Some(new)).await.expect(201);
        made.push(format!("/users/{name}/application-passwords/{}", one.json["id"]));
    }
    server.ask("sys", "DELETE", &made[0], None).await.refused(403, "mightier");
    server.ask("sys", "DELETE", &made[1], None).await.expect(204);
    server.ask("root", "DELETE", &made[0], None).await.expect(204);
}
