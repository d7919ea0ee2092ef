//! A change changes what it names, and says so; one that changes nothing is none.

use berth_catalog::event;

use super::*;

async fn told(server: &Server) -> usize {
    let catalog = server.app.registry.catalog();
    catalog.read(async |r| event::list(r, 0, 10_000).await).await.unwrap().len()
}

#[tokio::test]
async fn two_changes_of_one_robot_at_once_lose_nothing() {
    let server = Server::start().await;
    let path = "/projects/team/robots/ci";
    let policies = |action: &str| json!([{ "resources": ["project/team"], "actions": [action] }]);
    for round in 0..20 {
        let action = ["pull", "push"][round % 2];
        let text = format!("round {round}");
        let (narrowed, described) = tokio::join!(
            server.ask("alice", "PATCH", path, Some(json!({ "policies": policies(action) }))),
            server.ask("root", "PATCH", path, Some(json!({ "description": text }))),
        );
        narrowed.expect(200);
        described.expect(200);
        let robot = server.ask("alice", "GET", path, None).await.expect(200).json;
        assert_eq!(robot["policies"][0]["actions"], json!([action]), "{round}");
        assert_eq!(robot["description"], text, "{round}");
    }
}

#[tokio::test]
async fn two_changes_of_one_user_at_once_lose_nothing() {
    let server = Server::start().await;
    for round in 0..20 {
        let (name, address) = (format!("Gus {round}"), format!("gus{round}@example.org"));
        let (one, other) = tokio::join!(
            server.ask("sys", "PATCH", "/users/gus", Some(json!({ "display_name": name }))),
            server.ask("gus", "PATCH", "/users/gus", Some(json!({ "email": address }))),
        );
        one.expect(200);
        other.expect(200);
        let user = server.ask("gus", "GET", "/users/gus", None).await.expect(200).json;
        assert_eq!((&user["display_name"], &user["email"]), (&json!(name), &json!(address)), "{round}");
    }
}

#[tokio::test]
async fn what_is_so_already_is_not_done_again() {
    let server = Server::start().await;
    let robot = server.robot.clone();
    server.ask("alice", "PATCH", "/projects/team", Some(json!({ "public": false }))).await.expect(200);
    let before = told(&server).await;
    for (who, method, path, body) in [
        ("sys", "PATCH", "/users/gus", Some(json!({ "disabled": false }))),
        ("sys", "PATCH", "/users/gus", Some(json!({ "display_name": "", "email": "" }))),
        ("alice", "PATCH", "/projects/team/robots/ci", Some(json!({ "disabled": false, "description": "" }))),
        ("alice", "PATCH", "/projects/team", Some(json!({ "public": false }))),
        ("sys", "DELETE", "/users/gus/lock", None),
        ("root", "DELETE", "/users/gus/second-factor", None),
    ] {
        let reply = server.ask(who, method, path, body).await;
        assert!(reply.status < 300, "{who}: {method} {path}: {}", reply.json);
        assert_eq!(told(&server).await, before, "{method} {path} told of a change");
    }
    server.send_as(ROBOT, &robot, "GET", "/me", &[], String::new()).await.expect(200);
}

#[tokio::test]
async fn there_are_as_many_as_there_may_be() {
    let server = Server::start_with(|config| {
        config.limits.bindings_of_project = 2;
        config.limits.bindings = 3;
        config.limits.robots_of_project = 2;
        config.limits.roles = 1;
        config.limits.projects = 3;
    })
    .await;
    let member = |name: &str| Some(json!({ "subject": format!("user:{name}"), "role": "guest" }));
    let members = "/projects/team/members";
    server.ask("alice", "POST", members, member("a")).await.expect(201);
    let second = server.ask("alice", "POST", members, member("b")).await.expect(201);
    server.ask("alice", "POST", members, member("c")).await.refused(409, "full");
    server.ask("root", "POST", "/bindings", member("c")).await.expect(201);
    server.ask("bob", "POST", "/projects/other/members", member("d")).await.refused(409, "full");
    server.ask("alice", "DELETE", &format!("{members}/{}", second.json["id"]), None).await.expect(204);
    server.ask("bob", "POST", "/projects/other/members", member("d")).await.expect(201);

    let robot = |name: &str| {
        let policies = json!([{ "resources": ["project/team"], "actions": ["pull"] }]);
        Some(json!({ "name": name, "days": 1, "policies": policies }))
    };
    server.ask("alice", "POST", "/projects/team/robots", robot("second")).await.expect(201);
    server.ask("alice", "POST", "/projects/team/robots", robot("third")).await.refused(409, "full");
    let role = |name: &str| {
        let policies = json!([{ "resources": ["project/*"], "actions": ["pull"] }]);
        Some(json!({ "name": name, "policies": policies }))
    };
    server.ask("sec", "POST", "/roles", role("one")).await.expect(201);
    server.ask("sec", "POST", "/roles", role("two")).await.refused(409, "full");
    server.ask("sys", "POST", "/projects", Some(json!({ "name": "third" }))).await.expect(201);
    let full =
        server.ask("sys", "POST", "/projects", Some(json!({ "name": "fourth" }))).await.refused(409, "full");
    assert!(full.json["detail"].as_str().unwrap().contains("there are 3 projects already"), "{}", full.json);
}

#[tokio::test]
async fn a_changed_robot_stays_in_its_project() {
    let server = Server::start().await;
    let path = "/projects/team/robots/ci";
    let policies = |pattern: &str| {
        let policies = json!([{ "resources": [pattern], "actions": ["pull"] }]);
        Some(json!({ "policies": policies }))
    };
    server.ask("root", "PATCH", path, policies("project/other")).await.refused(400, "invalid");
    server.ask("root", "PATCH", path, policies("project/*")).await.refused(400, "invalid");
    server.ask("root", "PATCH", path, Some(json!({}))).await.refused(400, "invalid");
    server.ask("root", "PATCH", path, policies("project/team/repository/app")).await.expect(200);
}

#[tokio::test]
async fn a_secret_that_ended_does_not_end_again() {
    let server = Server::start().await;
    let secrets = "/projects/team/robots/ci/secrets";
    server.ask("alice", "POST", secrets, Some(json!({ "overlap_seconds": 3600 }))).await.expect(201);
    let listed = server.ask("alice", "GET", secrets, None).await.expect(200);
    let one = format!("{secrets}/{}", listed.json[1]["id"]);
    server.ask("alice", "DELETE", &one, None).await.expect(204);
    let before = told(&server).await;
    server.ask("alice", "DELETE", &one, None).await.expect(204);
    assert_eq!(told(&server).await, before);
}
