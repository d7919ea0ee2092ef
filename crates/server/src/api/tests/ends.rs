//! Sessions of the configuration's users, and secrets of robots: what ends when.

use super::*;

#[tokio::test]
async fn a_user_of_the_configuration_is_logged_out_by_others_and_has_no_second_factor() {
    let hash = berth_access::hash_password(PASSWORD).unwrap();
    let server = Server::start_with(|config| {
        let access = berth_access::UserAccess::Read;
        config.users = vec![berth_access::User { name: "ops".into(), password: hash, access }];
    })
    .await;
    server.ask("ops", "POST", "/me/second-factor", Some(json!({}))).await.refused(409, "not_here");
    let new = json!({ "name": "laptop", "days": 1 });
    server.ask("ops", "POST", "/me/application-passwords", Some(new)).await.refused(409, "not_here");
    let session = server.session("ops", None).await;
    let me =
        async |session: &str| server.by_session(session, "GET", "/me", json!({})).await.json["name"].clone();
    assert_eq!(me(&session).await, "ops");
    server.ask("gus", "DELETE", "/users/ops/sessions", None).await.expect(404);
    server.ask("sys", "DELETE", "/users/ops/sessions", None).await.expect(204);
    assert_eq!(me(&session).await, "anonymous");
    let session = server.session("ops", None).await;
    server.by_session(&session, "DELETE", "/users/ops/sessions", json!({})).await.expect(204);
    assert_eq!(me(&session).await, "anonymous");
    server.ask("sys", "DELETE", "/users/nobody/sessions", None).await.expect(404);
}

#[tokio::test]
async fn a_robots_secrets_are_listed_without_what_they_are() {
    let server = Server::start().await;
    let path = "/projects/team/robots/ci/secrets";
    server.ask("bob", "GET", path, None).await.refused(404, "not_found");
    let rotation = json!({ "overlap_seconds": 60 });
    let rotated = server.ask("alice", "POST", path, Some(rotation)).await.expect(201);
    let listed = server.ask("alice", "GET", path, None).await.expect(200);
    let ends: Vec<_> = listed.json.as_array().unwrap().iter().map(|one| &one["expires_at"]).collect();
    assert_eq!(ends, [&Value::Null, &rotated.json["before_ends_at"]]);
    assert!(!listed.json.to_string().contains(rotated.json["secret"].as_str().unwrap()));
}
