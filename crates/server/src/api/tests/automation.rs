//! What a declarative tool needs: to find what is there, and to end one thing of several.

use berth_access::{User, UserAccess, hash_password};

use super::*;

fn subjects(reply: &Reply) -> Vec<(String, String, bool)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = reply.json.as_array().unwrap().iter();
    list.map(|one| (text(&one["subject"]), text(&one["role"]), one["fixed"].as_bool().unwrap())).collect()
}

fn row(subject: &str, role: &str, fixed: bool) -> (String, String, bool) {
    (subject.to_owned(), role.to_owned(), fixed)
}

#[tokio::test]
async fn bindings_are_found_by_subject_and_role_wherever_they_come_from() {
    let server = Server::start().await;
    let get = async |path: &str| server.ask("root", "GET", path, None).await.expect(200);
    let bind = async |path: &str, subject: &str, role: &str| {
        let body = json!({ "subject": subject, "role": role });
        server.ask("root", "POST", path, Some(body)).await
    };
    bind("/bindings", "user:zoe", "guest").await.expect(201);
    bind("/bindings", "user:zoe", "auditor").await.expect(201);
    bind("/projects/team/members", "user:zoe", "guest").await.expect(201);
    let there = bind("/projects/team/members", "robot$team+ci", "guest").await.expect(201);

    let found = get("/bindings?subject=user:zoe").await;
    assert_eq!(subjects(&found), [row("user:zoe", "guest", false), row("user:zoe", "auditor", false)]);
    assert_eq!(
        subjects(&get("/bindings?subject=user:zoe&role=guest").await),
        [row("user:zoe", "guest", false)]
    );
    let all = get("/bindings?project=*&role=guest").await;
    let expected = [
        row("user:zoe", "guest", false),
        row("user:zoe", "guest", false),
        row("robot+team+ci", "guest", false),
        row("user:gus", "guest", true),
    ];
    assert_eq!(subjects(&all), expected);
    assert_eq!(
        (&all.json[1]["project"], &all.json[3]["project"], &all.json[3]["id"]),
        (&json!("team"), &json!("team"), &Value::Null)
    );
    let found = get("/projects/team/members?role=guest&subject=robot+team+ci").await;
    assert_eq!(subjects(&found), [row("robot+team+ci", "guest", false)]);
    assert_eq!(found.json[0]["id"], there.json["id"]);

    // Page by page, from what the catalog has into what the configuration has.
    let (mut path, mut seen) = ("/bindings?project=*&role=guest&n=1".to_owned(), Vec::new());
    loop {
        let page = get(&path).await;
        seen.extend(subjects(&page));
        let Some(link) = page.header("link").strip_prefix("</api/v1") else { break };
        path = link.split_once('>').unwrap().0.to_owned();
    }
    assert_eq!(seen, expected);

    for wrong in ["subject=zoe", "name=zoe", "project=team", "last=x", "last=fixed-x"] {
        server.ask("root", "GET", &format!("/bindings?{wrong}"), None).await.refused(400, "invalid");
    }
    server.ask("alice", "GET", "/bindings?project=*", None).await.refused(403, "forbidden");
}

#[tokio::test]
async fn what_is_there_already_is_named_by_its_number() {
    let server = Server::start().await;
    for path in ["/bindings", "/projects/team/members"] {
        let body = || Some(json!({ "subject": "user:zoe", "role": "guest" }));
        let made = server.ask("root", "POST", path, body()).await.expect(201);
        let again = server.ask("root", "POST", path, body()).await.refused(409, "exists");
        assert_eq!(again.json["id"], made.json["id"]);
        let found =
            server.ask("root", "GET", &format!("{path}/{}", again.json["id"]), None).await.expect(200);
        assert_eq!(found.json["subject"], "user:zoe");
    }
}

#[tokio::test]
async fn secrets_of_a_robot_are_listed_without_them_and_end_one_by_one() {
    let server = Server::start().await;
    let path = "/projects/team/robots/ci/secrets";
    let rotation = Some(json!({ "overlap_seconds": 3600 }));
    let rotated = server.ask("alice", "POST", path, rotation).await.expect(201);
    let fresh = rotated.json["secret"].as_str().unwrap();
    let listed = server.ask("alice", "GET", path, None).await.expect(200);
    let [newer, older] = &listed.json.as_array().unwrap()[..] else { panic!("{}", listed.json) };
    assert_eq!((&newer["expires_at"], &older["expires_at"]), (&Value::Null, &rotated.json["before_ends_at"]));
    assert!(!listed.json.to_string().contains("berth_"), "{}", listed.json);

    let who =
        async |secret: &str| server.send_as(ROBOT, secret, "GET", "/me", &[], String::new()).await.status;
    assert_eq!((who(&server.robot).await, who(fresh).await), (200, 200));
    let one = format!("{path}/{}", older["id"]);
    for (stranger, status) in [("dev", 403), ("bob", 404), ("anonymous", 401)] {
        server.ask(stranger, "DELETE", &one, None).await.expect(status);
    }
    let elsewhere = format!("/projects/other/robots/ci/secrets/{}", older["id"]);
    server.ask("bob", "DELETE", &elsewhere, None).await.refused(404, "not_found");
    server.ask("alice", "DELETE", &one, None).await.expect(204);
    assert_eq!((who(&server.robot).await, who(fresh).await), (401, 200));
    server.ask("alice", "DELETE", &format!("{path}/999"), None).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_secret_ends_through_its_own_robot_alone() {
    let server = Server::start().await;
    let policies = json!([{ "resources": ["project/other"], "actions": ["pull"] }]);
    let body = json!({ "name": "ci", "days": 1, "policies": policies });
    server.ask("bob", "POST", "/projects/other/robots", Some(body)).await.expect(201);
    let listed = server.ask("alice", "GET", "/projects/team/robots/ci/secrets", None).await.expect(200);
    let theirs = format!("/projects/other/robots/ci/secrets/{}", listed.json[0]["id"]);
    server.ask("bob", "DELETE", &theirs, None).await.refused(404, "not_found");
    server.ask(ROBOT, "GET", "/me", None).await.expect(200);
}

#[tokio::test]
async fn users_of_the_configuration_are_listed_as_such() {
    let server = Server::start_with(|config| {
        let password = hash_password(PASSWORD).unwrap();
        config.users.push(User { name: "carl".into(), password, access: UserAccess::Read });
    })
    .await;
    let listed = server.ask("root", "GET", "/users?n=3&last=bob", None).await.expect(200);
    let names: Vec<_> = listed.json.as_array().unwrap().iter().map(|user| &user["name"]).collect();
    assert_eq!(names, ["carl", "dev", "gus"]);
    assert_eq!((&listed.json[0]["fixed"], &listed.json[1]["fixed"]), (&json!(true), &json!(false)));
    let own = server.ask("carl", "GET", "/users/carl", None).await.expect(200);
    assert_eq!((&own.json["source"], &own.json["fixed"]), (&json!("configuration"), &json!(true)));
    server.ask("gus", "GET", "/users/carl", None).await.refused(404, "not_found");
}
