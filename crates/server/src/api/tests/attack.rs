//! What went wrong elsewhere: objects of others by number, fields that nobody may set, pages of others, names that are paths.

use super::*;

fn id(reply: &Reply) -> i64 {
    reply.json["id"].as_i64().unwrap()
}

/// Harbor CVE-2022-31666 to 31671, Quay CVE-2026-32589.
#[tokio::test]
async fn nothing_is_reached_by_the_number_it_has_elsewhere() {
    let server = Server::start().await;
    let member = json!({ "subject": "user:zoe", "role": "guest" });
    let theirs =
        id(&server.ask("bob", "POST", "/projects/other/members", Some(member.clone())).await.expect(201));
    let everywhere = id(&server.ask("root", "POST", "/bindings", Some(member)).await.expect(201));
    for number in [theirs, everywhere] {
        let path = format!("/projects/team/members/{number}");
        server.ask("alice", "GET", &path, None).await.refused(404, "not_found");
        server.ask("alice", "DELETE", &path, None).await.refused(404, "not_found");
        // Through the right place, but not their own.
        server.ask("alice", "DELETE", &format!("/projects/other/members/{number}"), None).await.expect(404);
        server.ask("alice", "DELETE", &format!("/bindings/{number}"), None).await.expect(403);
    }
    server.ask("root", "DELETE", &format!("/bindings/{theirs}"), None).await.refused(404, "not_found");
    server.ask("bob", "DELETE", &format!("/projects/other/members/{theirs}"), None).await.expect(204);

    // Robots: of another project, by their whole name, and the system's through a project.
    server.ask("bob", "GET", "/projects/other/robots/ci", None).await.expect(404);
    for name in ["team+ci", "robot+team+ci", "..%2Fteam%2Frobots%2Fci"] {
        server.ask("bob", "DELETE", &format!("/projects/other/robots/{name}"), None).await.expect(404);
    }
    server.ask("root", "GET", "/robots/ci", None).await.expect(404);

    // Application passwords of another user.
    let new = json!({ "name": "laptop", "days": 1 });
    let own = id(&server.ask("dev", "POST", "/me/application-passwords", Some(new)).await.expect(201));
    let path = format!("/me/application-passwords/{own}");
    server.ask("gus", "DELETE", &path, None).await.refused(404, "not_found");
    server.ask("sys", "DELETE", &format!("/users/gus/application-passwords/{own}"), None).await.expect(404);
    server.ask("dev", "DELETE", &path, None).await.expect(204);
}

/// Harbor CVE-2019-16097: `has_admin_role` in the body of a sign-up.
#[tokio::test]
async fn fields_that_nobody_may_set_are_refused() {
    let server = Server::start().await;
    for (who, method, path, body) in [
        ("sys", "POST", "/users", json!({ "name": "eve", "password": PASSWORD, "has_admin_role": true })),
        ("sys", "POST", "/users", json!({ "name": "eve", "password": PASSWORD, "groups": ["admins"] })),
        ("gus", "PATCH", "/users/gus", json!({ "display_name": "Gus", "source": "ldap" })),
        ("gus", "PATCH", "/users/gus", json!({ "must_change_password": false })),
        ("sys", "POST", "/projects", json!({ "name": "eve", "created_by": "root" })),
        (
            "alice",
            "POST",
            "/projects/team/members",
            json!({ "subject": "user:eve", "role": "guest", "project": "" }),
        ),
        (
            "alice",
            "POST",
            "/projects/team/robots",
            json!({ "name": "e", "days": 1, "owner": "root", "policies": [{ "resources": ["project/team"], "actions": ["pull"] }] }),
        ),
        ("gus", "POST", "/me/application-passwords", json!({ "name": "x", "days": 1, "user": "root" })),
        ("root", "PUT", "/roles/mine", json!({ "name": "administrator", "policies": [] })),
    ] {
        let reply = server.ask(who, method, path, Some(body)).await.refused(400, "invalid");
        assert!(reply.json["detail"].as_str().unwrap().contains("unknown field"), "{}", reply.json);
    }
    server.ask("root", "GET", "/users/eve", None).await.expect(404);
    let own =
        server.ask("gus", "PATCH", "/users/gus", Some(json!({ "display_name": "Gus" }))).await.expect(200);
    assert_eq!(own.json["display_name"], "Gus");
    server.ask("gus", "PATCH", "/users/gus", Some(json!({ "disabled": true }))).await.expect(403);
}

#[tokio::test]
async fn a_list_is_no_object_with_its_fields_in_order() {
    let server = Server::start().await;
    for (who, method, path, body) in [
        ("root", "POST", "/projects", json!(["listed", true])),
        ("root", "PATCH", "/users/gus", json!([null, null, true])),
        ("alice", "POST", "/projects/team/robots/ci/secrets", json!([0, null])),
        ("root", "POST", "/projects", json!("listed")),
    ] {
        server.ask(who, method, path, Some(body)).await.refused(400, "invalid");
    }
    server.ask("root", "GET", "/projects/listed", None).await.refused(404, "not_found");
    server.ask("gus", "GET", "/me", None).await.expect(200);
}

#[tokio::test]
async fn a_name_that_is_nobodys_gets_none_in_logs() {
    let server = Server::start().await;
    for name in ["My-Secret-Pass", "nobody-1", "nobody-2"] {
        let body = json!({ "name": name, "old": "x", "new": "Other-Harbour-8" });
        server.ask("anonymous", "PUT", "/password", Some(body)).await.expect(401);
        let catalog = server.app.registry.catalog();
        let found = catalog.read(async move |r| berth_catalog::subject::find(r, name).await).await.unwrap();
        assert!(found.is_none(), "{name} was written down");
    }
}

#[tokio::test]
async fn nothing_shows_a_secret_twice() {
    let server = Server::start().await;
    let new = json!({ "name": "laptop", "days": 1 });
    let made = server.ask("dev", "POST", "/me/application-passwords", Some(new)).await.expect(201);
    let secret = made.json["secret"].as_str().unwrap();
    assert!(secret.starts_with("berth_a_"));
    for path in [
        "/users",
        "/users/dev",
        "/users/dev/application-passwords",
        "/projects/team/robots",
        "/projects/team/robots/ci",
    ] {
        let shown = server.ask("root", "GET", path, None).await.expect(200).json.to_string();
        for hidden in ["argon2", "berth_", "\"secret\":", "\"password\":"] {
            assert!(!shown.contains(hidden), "{path} shows {hidden}: {shown}");
        }
    }
    // It pulls and pushes, and makes no others.
    let ask = async |method: &str, path: &str, body: &str| {
        let headers = [("content-type", "application/json")];
        server.send_as("dev", secret, method, path, &headers, body.to_owned()).await
    };
    ask("GET", "/projects/team", "").await.expect(200);
    ask("POST", "/me/application-passwords", r#"{"name": "x", "days": 1}"#)
        .await
        .refused(403, "application_password");
    ask("PATCH", "/users/dev", r#"{"email": "x@example"}"#).await.refused(403, "application_password");
}

/// Harbor CVE-2019-19025.
#[tokio::test]
async fn pages_of_others_change_nothing() {
    let server = Server::start().await;
    let body = json!({ "name": "evil" }).to_string();
    let kind = ("content-type", "application/json");
    for headers in [
        vec![kind, ("host", "registry.example"), ("origin", "https://evil.example")],
        vec![kind, ("host", "registry.example"), ("origin", "null")],
        vec![kind, ("sec-fetch-site", "cross-site")],
    ] {
        let reply = server.send("root", "POST", "/projects", &headers, body.clone()).await;
        reply.refused(403, "cross_origin");
    }
    // What a form can send without being asked is no JSON.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let reply = server.send("root", "POST", "/projects", &[("content-type", kind)], body.clone()).await;
        reply.refused(415, "unsupported_media_type");
    }
    server.ask("root", "GET", "/projects/evil", None).await.expect(404);
    let own = [kind, ("host", "registry.example"), ("origin", "https://registry.example")];
    server.send("root", "POST", "/projects", &own, body).await.expect(201);
}

#[tokio::test]
async fn names_are_names_and_bodies_are_bounded() {
    let server = Server::start().await;
    for name in ["../etc", "..", "a/b", "A", "", "a\u{0}", "a b", "%2e%2e", "a\r\nx-evil: 1", "-a"] {
        let reply = server.ask("root", "POST", "/projects", Some(json!({ "name": name }))).await;
        reply.refused(400, "invalid");
    }
    for path in [
        "/projects/..",
        "/projects/%2e%2e",
        "/projects/..%2fteam",
        "/projects/team%2f",
        "/projects/team/../other",
        "//projects",
    ] {
        let status = server.ask("root", "GET", path, None).await.status;
        assert_eq!(status, 404, "{path}");
    }
    for subject in ["user:a:b", "root", "user:", "user:a\nb", "everybody"] {
        let body = json!({ "subject": subject, "role": "guest" });
        server.ask("root", "POST", "/bindings", Some(body)).await.refused(400, "invalid");
    }
    let body = json!({ "subject": "user:x", "role": "none'; DROP TABLE role; --" });
    server.ask("root", "POST", "/bindings", Some(body)).await.refused(400, "invalid");
    let kind = [("content-type", "application/json")];
    let large = format!("{{\"name\": \"{}\"}}", "a".repeat(MOST_BYTES));
    server.send("root", "POST", "/projects", &kind, large).await.refused(413, "too_large");
    let deep = "[".repeat(100_000);
    server.send("root", "POST", "/projects", &kind, deep).await.refused(400, "invalid");
    let twice = r#"{"name": "one", "name": "two"}"#.to_owned();
    server.send("root", "POST", "/projects", &kind, twice).await.refused(400, "invalid");
    let reply = server.ask("root", "PUT", "/projects", None).await.refused(405, "method_not_allowed");
    assert_eq!(reply.header("allow"), "GET,HEAD,POST");
}

#[tokio::test]
async fn every_refusal_is_for_the_trail_and_names_nobody() {
    use crate::context::Verdict;
    let server = Server::start().await;
    let password = json!({ "password": "Other-12345" });
    for (who, method, path, body) in [
        ("sys", "PUT", "/users/root/password", password.clone()),
        ("gus", "GET", "/users/root", Value::Null),
        ("gus", "PUT", "/users/root/password", password),
        ("alice", "POST", "/projects/other/members", json!({ "subject": "user:alice", "role": "guest" })),
        ("alice", "POST", "/bindings", json!({ "subject": "user:alice", "role": "guest" })),
        ("root", "POST", "/bindings", json!({ "subject": "anonymous", "role": "administrator" })),
    ] {
        let body = Some(body).filter(|body| !body.is_null());
        let reply = server.ask(who, method, path, body).await;
        assert!((400..500).contains(&reply.status), "{who} {path}: {}", reply.json);
        let Some(Verdict::Denied { reason, .. }) = &reply.context.verdict else {
            panic!("{who} {method} {path} leaves no record: {}", reply.json)
        };
        assert!(!reason.contains(who) && !reason.contains("root"), "{reason}");
    }
    let guess = server.send_as("root", "wrong", "GET", "/users", &[], String::new()).await.expect(401);
    let Some(Verdict::NotProved { reason, .. }) = &guess.context.verdict else { panic!("no record") };
    assert_eq!(reason, "wrong_password");
}

#[tokio::test]
async fn who_uses_what_was_taken_away_is_named_in_the_trail() {
    use crate::context::Verdict;
    let server = Server::start().await;
    let new = json!({ "name": "laptop", "days": 1 });
    let made = server.ask("dev", "POST", "/me/application-passwords", Some(new)).await.expect(201);
    let one = format!("/me/application-passwords/{}", made.json["id"]);
    server.ask("dev", "DELETE", &one, None).await.expect(204);
    let off = || Some(json!({ "disabled": true }));
    server.ask("alice", "PATCH", "/projects/team/robots/ci", off()).await.expect(200);
    server.ask("sys", "PATCH", "/users/gus", off()).await.expect(200);
    for (name, secret) in
        [("dev", made.json["secret"].as_str().unwrap()), (ROBOT, &server.robot), ("gus", PASSWORD)]
    {
        let refused = server.send_as(name, secret, "GET", "/me", &[], String::new()).await.expect(401);
        let Some(Verdict::NotProved { who, reason, .. }) = refused.context.verdict else { panic!("{name}") };
        assert_eq!((who.unwrap().name(), reason.as_str()), (name, "ended"));
    }
    // A guess proves nothing.
    let guess = server.send_as("gus", "wrong", "GET", "/me", &[], String::new()).await.expect(401);
    assert!(matches!(guess.context.verdict, Some(Verdict::NotProved { who: None, .. })));
}
