//! What belongs to a caller: uploads, what is cached, and attempts to log in.

use super::*;

#[tokio::test]
async fn an_upload_belongs_to_one_caller() {
    let server = Server::with_users(Anonymous::Write);
    let start = server.ask("POST", "/v2/a/blobs/uploads/").login("ann").send().await.expect(202);
    let location = start.header("location").to_owned();
    server.ask("GET", &location).login("ann").send().await.expect(204);
    server.get(&location).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    server.ask("DELETE", &location).send().await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    let elsewhere = location.replace("/v2/a/", "/v2/b/");
    server.ask("GET", elsewhere).login("ann").send().await.refused(404, "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn what_needed_credentials_is_cached_privately() {
    let server = Server::with_users(Anonymous::Read);
    let digest = Digest::of(Algorithm::Sha256, b"x");
    let target = format!("/v2/a/blobs/uploads/?digest={digest}");
    server.ask("POST", target).login("ann").body(b"x").send().await.expect(201);
    let blob = format!("/v2/a/blobs/{digest}");
    let reply = server.ask("GET", &blob).login("bob").send().await.expect(200);
    assert_eq!(reply.header("cache-control"), "private, max-age=31536000, immutable");
    let reply = server.get(&blob).await.expect(200);
    assert_eq!(reply.header("cache-control"), "max-age=31536000, immutable");
}

#[tokio::test]
async fn guessing_passwords_is_limited_and_the_right_one_is_not() {
    let mut config = Config::default();
    config.rate_limits.exempt.clear();
    config.rate_limits.login.burst = 3;
    // However slow the machine is: nothing comes back within the test.
    config.rate_limits.login.rate = "1/h".parse().unwrap();
    let user =
        User { name: "ann".into(), password: hash_password("secret").unwrap(), access: UserAccess::Write };
    let access =
        berth_access::Config { anonymous: Some(Anonymous::None), users: vec![user], ..Default::default() };
    let server = Server::new(config, &access);
    for _ in 0..10 {
        server.ask("GET", "/v2/").login("ann").send().await.expect(200);
    }
    for _ in 0..3 {
        server.ask("GET", "/v2/").login("eve").send().await.refused(401, "UNAUTHORIZED");
    }
    // The address has had its share; whether the next one would be right is not looked at.
    let reply = server.ask("GET", "/v2/").login("ann").send().await.refused(429, "TOOMANYREQUESTS");
    let seconds: u64 = reply.header("retry-after").parse().unwrap();
    assert!((3_000..=3_600).contains(&seconds), "{seconds}");
    assert_eq!(reply.message(), format!("too many failed logins: try again in {seconds} s"));
    server.get("/v2/").await.refused(401, "UNAUTHORIZED");
}
