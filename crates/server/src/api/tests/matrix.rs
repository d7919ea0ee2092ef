//! Every call by everybody.

use super::*;

const CALLERS: [&str; 10] = ["anonymous", "gus", "dev", "alice", "bob", "sys", "sec", "aud", "root", ROBOT];

/// What each of [`CALLERS`] gets; 0 where the call would take away what the next ones need.
type Expected = [u16; CALLERS.len()];

/// Every call: method, path, body (empty for none), and what each caller gets. `%` stands for the caller's number, so that nobody is in
/// another's way.
const CALLS: [(&str, &str, &str, Expected); 43] = [
    ("GET", "/me", "", [200; 10]),
    ("GET", "/nothing", "", [404; 10]),
    ("GET", "/projects", "", [200; 10]),
    ("GET", "/projects/team", "", [401, 200, 200, 200, 404, 200, 200, 404, 200, 404]),
    ("GET", "/projects/none", "", [401, 404, 404, 404, 404, 404, 404, 404, 404, 404]),
    ("POST", "/projects", r#"{ "name": "new-%" }"#, [401, 403, 403, 403, 403, 201, 403, 403, 201, 403]),
    ("PATCH", "/projects/team", r#"{ "public": false }"#, [401, 403, 403, 200, 404, 403, 200, 404, 200, 404]),
    ("PATCH", "/projects/team", r#"{ "settings": {} }"#, [401, 403, 403, 200, 404, 200, 403, 404, 200, 404]),
    ("DELETE", "/projects/team", "", [401, 403, 403, 0, 404, 0, 403, 404, 0, 404]),
    ("GET", "/projects/team/members", "", [401, 200, 200, 200, 404, 200, 200, 404, 200, 404]),
    (
        "POST",
        "/projects/team/members",
        r#"{ "subject": "user:x%", "role": "guest" }"#,
        [401, 403, 403, 201, 404, 403, 201, 404, 201, 404],
    ),
    ("GET", "/projects/team/members/999999", "", [401, 404, 404, 404, 404, 404, 404, 404, 404, 404]),
    ("DELETE", "/projects/team/members/999999", "", [401, 404, 404, 404, 404, 404, 404, 404, 404, 404]),
    ("GET", "/projects/team/robots", "", [401, 200, 200, 200, 404, 200, 200, 404, 200, 404]),
    (
        "POST",
        "/projects/team/robots",
        r#"{ "name": "r%", "policies": [{ "resources": ["project/team"], "actions": ["pull"] }], "days": 30 }"#,
        [401, 403, 403, 201, 404, 403, 403, 404, 201, 404],
    ),
    ("GET", "/projects/team/robots/ci", "", [401, 200, 200, 200, 404, 200, 200, 404, 200, 404]),
    (
        "PATCH",
        "/projects/team/robots/ci",
        r#"{ "disabled": false }"#,
        [401, 403, 403, 0, 404, 403, 0, 404, 0, 404],
    ),
    (
        "POST",
        "/projects/team/robots/ci/secrets",
        r#"{ "overlap_seconds": 3600 }"#,
        [401, 403, 403, 201, 404, 403, 403, 404, 201, 404],
    ),
    ("DELETE", "/projects/team/robots/ci", "", [401, 403, 403, 0, 404, 403, 0, 404, 0, 404]),
    ("GET", "/roles", "", [401, 200, 200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET", "/roles/developer", "", [401, 200, 200, 200, 200, 200, 200, 200, 200, 200]),
    (
        "POST",
        "/roles",
        r#"{ "name": "role-%", "policies": [{ "resources": ["project/team"], "actions": ["pull"] }] }"#,
        [401, 403, 403, 403, 403, 403, 201, 403, 201, 403],
    ),
    (
        "PUT",
        "/roles/developer",
        r#"{ "policies": [{ "resources": ["project/team"], "actions": ["pull"] }] }"#,
        [401, 403, 403, 403, 403, 403, 409, 403, 409, 403],
    ),
    ("DELETE", "/roles/none", "", [401, 403, 403, 403, 403, 403, 404, 403, 404, 403]),
    ("GET", "/bindings", "", [401, 403, 403, 403, 403, 403, 200, 403, 200, 403]),
    (
        "POST",
        "/bindings",
        r#"{ "subject": "user:y%", "role": "guest" }"#,
        [401, 403, 403, 403, 403, 403, 201, 403, 201, 403],
    ),
    ("DELETE", "/bindings/999999", "", [401, 403, 403, 403, 403, 403, 404, 403, 404, 403]),
    ("GET", "/robots", "", [401, 403, 403, 403, 403, 403, 200, 403, 200, 403]),
    (
        "POST",
        "/robots",
        r#"{ "name": "s%", "policies": [{ "resources": ["project/team"], "actions": ["pull"] }], "days": 30 }"#,
        [401, 403, 403, 403, 403, 403, 403, 403, 201, 403],
    ),
    ("GET", "/users", "", [401, 403, 403, 403, 403, 200, 200, 403, 200, 403]),
    (
        "POST",
        "/users",
        r#"{ "name": "made-%", "password": "Open-Harbour-7" }"#,
        [401, 403, 403, 403, 403, 201, 403, 403, 201, 403],
    ),
    ("GET", "/users/gus", "", [401, 200, 404, 404, 404, 200, 200, 404, 200, 404]),
    ("GET", "/users/none", "", [401, 404, 404, 404, 404, 404, 404, 404, 404, 404]),
    (
        "PATCH",
        "/users/victim",
        r#"{ "display_name": "V" }"#,
        [401, 404, 404, 404, 404, 200, 403, 404, 200, 404],
    ),
    (
        "PUT",
        "/users/victim/password",
        r#"{ "password": "Other-%-12345" }"#,
        [401, 404, 404, 404, 404, 403, 403, 404, 204, 404],
    ),
    ("DELETE", "/users/victim/lock", "", [401, 404, 404, 404, 404, 204, 403, 404, 204, 404]),
    ("DELETE", "/users/victim/sessions", "", [401, 404, 404, 404, 404, 204, 403, 404, 204, 404]),
    ("DELETE", "/users/victim/second-factor", "", [401, 404, 404, 404, 404, 403, 403, 404, 204, 404]),
    ("GET", "/users/victim/application-passwords", "", [401, 404, 404, 404, 404, 200, 200, 404, 200, 404]),
    ("DELETE", "/users/victim", "", [401, 404, 404, 404, 404, 0, 403, 404, 0, 404]),
    ("GET", "/me/application-passwords", "", [401, 200, 200, 200, 200, 200, 200, 200, 200, 404]),
    (
        "POST",
        "/me/application-passwords",
        r#"{ "name": "laptop", "days": 1 }"#,
        [401, 201, 201, 201, 201, 201, 201, 201, 201, 400],
    ),
    (
        "GET",
        "/access/explain?subject=user:gus&action=push&resource=project/team/repository/app",
        "",
        [401, 200, 403, 403, 403, 403, 200, 403, 200, 403],
    ),
];

#[tokio::test]
async fn everybody_may_do_what_they_may_and_no_more() {
    let server = Server::start().await;
    for (method, path, body, expected) in CALLS {
        for (number, (who, status)) in CALLERS.iter().zip(expected).enumerate() {
            if status == 0 {
                continue;
            }
            let body = body.replace('%', &number.to_string());
            let body = (!body.is_empty()).then(|| serde_json::from_str(&body).unwrap());
            let reply = server.ask(who, method, path, body).await;
            assert_eq!(reply.status, status, "{who}: {method} {path}: {}", reply.json);
        }
    }
}

#[tokio::test]
async fn lists_show_what_their_caller_may_see_page_by_page() {
    let server = Server::start().await;
    for (who, expected) in [
        ("anonymous", vec![]),
        ("gus", vec!["team"]),
        ("bob", vec!["other"]),
        ("sec", vec!["other", "team"]),
        ("aud", vec![]),
    ] {
        let reply = server.ask(who, "GET", "/projects", None).await.expect(200);
        let names: Vec<_> = reply.json.as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
        assert_eq!(names, expected, "{who}");
    }
    let (mut path, mut seen) = ("/roles?n=3".to_owned(), Vec::new());
    loop {
        let reply = server.ask("gus", "GET", &path, None).await.expect(200);
        let page = reply.json.as_array().unwrap().clone();
        assert!(page.len() <= 3);
        seen.extend(page.iter().map(|role| role["name"].as_str().unwrap().to_owned()));
        let Some(rest) = reply.header("link").strip_prefix("</api/v1") else { break };
        path = rest.strip_suffix(">; rel=\"next\"").unwrap().to_owned();
    }
    assert!(seen.is_sorted() && seen.len() == 10, "{seen:?}");
    for query in ["n=0", "n=x", "q=password", "sort=password"] {
        server.ask("root", "GET", &format!("/users?{query}"), None).await.refused(400, "invalid");
    }
    let everybody = server.ask("root", "GET", "/users?n=99999999999999999999", None).await.expect(200);
    assert_eq!(everybody.json.as_array().unwrap().len(), PEOPLE.len());
}

#[tokio::test]
async fn me_says_who_i_am_and_what_i_may_do() {
    let server = Server::start().await;
    let me = server.ask("sys", "GET", "/me", None).await.expect(200).json;
    assert_eq!((&me["name"], &me["kind"], &me["proof"]), (&json!("sys"), &json!("user"), &json!("password")));
    assert_eq!(me["roles"], json!([{ "role": "system-administrator", "subject": "user:sys" }]));
    assert_eq!(me["system"]["projects"], json!(["delete", "list", "read", "create", "update"]));
    assert!(me["system"]["audit"].is_null() && me["system"]["access"].is_null(), "{me}");
    let why = "/access/explain?action=push&resource=project/team/repository/app";
    let why = server.ask("dev", "GET", why, None).await.expect(200).json;
    assert_eq!(why["allowed"], true);
    assert_eq!(why["rule"]["role"], "developer");
    assert_eq!(why["rule"]["project"], "team");
    server.ask("dev", "GET", "/access/explain?action=fly&resource=system/audit", None).await.expect(400);
}
