//! How answers look: names, codes, media types, paths behind a proxy.

use berth_access::Persons;
use berth_catalog::{event, subject};
use berth_vault::{Key, Vault};

use super::*;

#[tokio::test]
async fn answers_lead_to_paths_as_the_client_knows_them() {
    let server = Server::start().await;
    let ask = async |method: &str, path: &str, body: &'static str| {
        let credentials = STANDARD.encode(format!("root:{PASSWORD}"));
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("authorization", format!("Basic {credentials}"))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut context = RequestContext::begin(&request, RequestId::generate(), client);
        context.forwarded.prefix = Some("/hub".to_owned());
        handle(&server.app, &server.calls, &mut context, request).await
    };
    let made = ask("POST", "/projects", r#"{"name": "new"}"#).await;
    assert_eq!(made.headers()["location"], "/hub/api/v1/projects/new");
    let page = ask("GET", "/projects?n=1", "").await;
    assert_eq!(page.headers()["link"], "</hub/api/v1/projects?n=1&last=new>; rel=\"next\"");
}

#[tokio::test]
async fn robots_go_by_their_whole_name_too() {
    let server = Server::start().await;
    for name in ["ci", "robot+team+ci", "robot$team+ci"] {
        let path = format!("/projects/team/robots/{name}");
        let found = server.ask("alice", "GET", &path, None).await.expect(200);
        assert_eq!(found.json["name"], ROBOT);
    }
    let body = json!({ "name": "sync", "days": 1, "policies": [{ "resources": ["project/team"], "actions": ["pull"] }] });
    server.ask("root", "POST", "/robots", Some(body)).await.expect(201);
    server.ask("root", "GET", "/robots/robot+sync", None).await.expect(200);
    for wrong in
        ["/robots/robot+team+ci", "/projects/other/robots/robot+team+ci", "/projects/team/robots/robot+sync"]
    {
        server.ask("root", "GET", wrong, None).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn whoever_made_something_is_named_and_not_to_strangers() {
    let mut server = Server::start().await;
    let vault = Vault::new(&[Key::generate().unwrap()], &[]).unwrap();
    let catalog = server.app.registry.catalog().clone();
    let access = server.app.access.clone().with_persons(Persons::new(catalog, vault));
    let app = App::new(Config::default(), access, server.app.registry.clone(), Clock::system());
    server.app = Arc::new(app);
    server.calls = router(&server.app);

    let body = json!({ "subject": "user:zoe", "role": "guest" });
    let bound = server.ask("alice", "POST", "/projects/team/members", Some(body)).await.expect(201);
    let made = json!({ "name": "open", "public": true });
    server.ask("root", "POST", "/projects", Some(made)).await.expect(201);
    let stored = server.app.registry.catalog().read(async |r| project::find(r, "open").await).await.unwrap();
    assert!(stored.unwrap().created_by.starts_with("person-"), "logs know no name");
    let listed = server.ask("alice", "GET", "/projects/team/members?role=guest", None).await.expect(200);
    assert_eq!(listed.json[0]["created_by"], "alice");
    assert_eq!(server.ask("gus", "GET", "/projects/open", None).await.expect(200).json["created_by"], "root");
    let shown = server.ask("anonymous", "GET", "/projects/open", None).await.expect(200);
    assert_eq!(shown.json["created_by"], Value::Null);

    // Who has which role is told of a pseudonym that somebody has from then on, and of nobody once that is erased.
    let catalog = server.app.registry.catalog().clone();
    let zoe = catalog.read(async |r| subject::find(r, "zoe").await).await.unwrap().unwrap().pseudonym;
    let erased = catalog.write(async |tx| subject::erase(tx, "zoe", jiff::Timestamp::UNIX_EPOCH).await).await;
    assert_eq!(erased.unwrap_or_else(|error: berth_catalog::Error| panic!("{error}")), Some(zoe.clone()));
    let id = &bound.json["id"];
    server.ask("alice", "DELETE", &format!("/projects/team/members/{id}"), None).await.expect(204);
    let events = catalog.read(async |r| event::list(r, 0, 1000).await).await.unwrap();
    let of = |kind: &str| events.iter().rfind(|event| event.kind == kind).unwrap().detail["subject"].clone();
    assert_eq!((of("binding_added"), of("binding_removed")), (json!(zoe), Value::Null));
    assert!(!serde_json::to_string(&events).unwrap().contains("zoe"));
}

#[tokio::test]
async fn refusals_have_one_shape_and_codes_that_tell_them_apart() {
    let server = Server::start().await;
    // What is no text is nobody's name; `ask` sees that the answer is a problem.
    for path in
        ["/users/%ff", "/roles/%ff", "/projects/%ff/members", "/projects/team/members/%ff", "/bindings/%ff"]
    {
        server.ask("root", "GET", path, None).await.refused(404, "not_found");
    }
    let policies = json!([{ "resources": ["project/*"], "actions": ["pull"] }]);
    let role = |name: &str| Some(json!({ "name": name, "policies": policies }));
    server.ask("root", "POST", "/projects", Some(json!({ "name": "team" }))).await.refused(409, "exists");
    server.ask("root", "POST", "/roles", role("guest")).await.refused(409, "fixed");
    let made = server.ask("root", "POST", "/roles", role("mine")).await.expect(201);
    assert_eq!(
        (&made.json["description"], &made.json["policies"][0]["effect"]),
        (&json!(""), &json!("allow"))
    );
    let robot = server.ask("alice", "GET", "/projects/team/robots/ci", None).await.expect(200);
    assert_eq!(robot.json["policies"][0]["effect"], "allow");
    let bound = json!({ "subject": "user:zoe", "role": "mine" });
    server.ask("root", "POST", "/bindings", Some(bound)).await.expect(201);
    let refused = server.ask("root", "DELETE", "/roles/mine", None).await.refused(409, "in_use");
    let detail = refused.json["detail"].as_str().unwrap();
    assert!(detail.contains("/api/v1/bindings?role=mine") && !detail.contains("`berth "), "{detail}");
}

#[tokio::test]
async fn what_would_break_a_line_is_refused() {
    let server = Server::start().await;
    for (field, text) in
        [("display_name", "a\nb"), ("email", "a\u{1b}[2J"), ("display_name", &*"a".repeat(257))]
    {
        let mut body = json!({ "name": "new", "password": "First-12345" });
        body[field] = text.into();
        server.ask("root", "POST", "/users", Some(body)).await.refused(400, "invalid");
    }
    for text in ["a\nb", &"a".repeat(1025)] {
        let policies = json!([{ "resources": ["project/*"], "actions": ["pull"] }]);
        let body = json!({ "name": "mine", "description": text, "policies": policies });
        server.ask("root", "POST", "/roles", Some(body)).await.refused(400, "invalid");
    }
}
