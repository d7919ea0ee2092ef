//! What waits for a name is not got by making it.

use berth_catalog::binding::{self, Kind, NewBinding};
use berth_catalog::robot;

use super::*;

fn new_robot(name: &str) -> Value {
    let policies = json!([{ "resources": ["project/team"], "actions": ["pull"] }]);
    json!({ "name": name, "days": 1, "policies": policies })
}

#[tokio::test]
async fn a_robot_is_not_made_to_get_what_waits_for_its_name() {
    let server = Server::start_with(|config| {
        config.bindings.push(BindingConfig {
            role: "developer".to_owned(),
            subjects: vec!["robot+team+configured".parse().unwrap()],
            project: Some("other".to_owned()),
        });
    })
    .await;
    let member = |subject: &str| Some(json!({ "subject": subject, "role": "developer" }));
    server.ask("bob", "POST", "/projects/other/members", member("robot+team+late")).await.expect(201);
    for name in ["late", "configured"] {
        server
            .ask("alice", "POST", "/projects/team/robots", Some(new_robot(name)))
            .await
            .refused(403, "awaited");
        server.ask("root", "POST", "/projects/team/robots", Some(new_robot(name))).await.expect(201);
    }
    // What waits in one's own project one could have bound oneself.
    server.ask("alice", "POST", "/projects/team/members", member("robot+team+own")).await.expect(201);
    server.ask("alice", "POST", "/projects/team/robots", Some(new_robot("own"))).await.expect(201);
}

#[tokio::test]
async fn roles_of_a_projects_robots_end_with_it_everywhere() {
    let server = Server::start().await;
    server.ask("root", "POST", "/projects", Some(json!({ "name": "p" }))).await.expect(201);
    let policies = json!([{ "resources": ["project/p"], "actions": ["pull"] }]);
    let robot = json!({ "name": "ci", "days": 1, "policies": policies });
    server.ask("root", "POST", "/projects/p/robots", Some(robot)).await.expect(201);
    let member = |subject: &str| Some(json!({ "subject": subject, "role": "developer" }));
    server.ask("bob", "POST", "/projects/other/members", member("robot+p+ci")).await.expect(201);
    // Of another project, whose name begins the same.
    server.ask("bob", "POST", "/projects/other/members", member("robot+p.x+ci")).await.expect(201);
    server.ask("root", "DELETE", "/projects/p", None).await.expect(204);
    let left = server.ask("root", "GET", "/bindings?project=other", None).await;
    assert_eq!(left.status, 400, "only all or none: {}", left.json);
    let left = server.ask("bob", "GET", "/projects/other/members", None).await.expect(200);
    let left: Vec<_> = left.json.as_array().unwrap().iter().map(|one| one["subject"].clone()).collect();
    assert_eq!(left, ["robot+p.x+ci", "user:bob", "user:victim"]);
}

#[tokio::test]
async fn no_robot_is_left_in_a_project_that_went_meanwhile() {
    let server = Server::start().await;
    let catalog = server.app.registry.catalog();
    for round in 0..20 {
        server.ask("root", "POST", "/projects", Some(json!({ "name": "p" }))).await.expect(201);
        let policies = json!([{ "resources": ["project/p"], "actions": ["pull"] }]);
        let robot = json!({ "name": "ci", "days": 1, "policies": policies });
        let (made, deleted) = tokio::join!(
            server.ask("root", "POST", "/projects/p/robots", Some(robot)),
            server.ask("root", "DELETE", "/projects/p", None),
        );
        deleted.expect(204);
        assert!([201, 404].contains(&made.status), "{round}: {}", made.json);
        let left = catalog.read(async |r| robot::find(r, "robot+p+ci").await).await.unwrap();
        assert!(left.is_none(), "{round}: a robot waits for the next project of the name");
    }
}

#[tokio::test]
async fn a_role_is_not_made_to_be_held_unseen() {
    let server = Server::start().await;
    // As the configuration once bound it, or a database that somebody restored in parts.
    let what = NewBinding {
        kind: Kind::User,
        subject: "gus".to_owned(),
        role: "ghost".to_owned(),
        project: String::new(),
    };
    let now = server.app.registry.catalog().clock().now();
    let bound =
        server.app.registry.catalog().write(async move |tx| binding::insert(tx, &what, "", now).await);
    assert!(bound.await.unwrap());
    let role = || {
        let policies = json!([{ "resources": ["project/*"], "actions": ["pull"] }]);
        Some(json!({ "name": "ghost", "policies": policies }))
    };
    server.ask("sec", "POST", "/roles", role()).await.refused(409, "in_use");
    let found = server.ask("sec", "GET", "/bindings?role=ghost", None).await.expect(200);
    let path = format!("/bindings/{}", found.json[0]["id"]);
    server.ask("sec", "DELETE", &path, None).await.expect(204);
    server.ask("sec", "POST", "/roles", role()).await.expect(201);
}
