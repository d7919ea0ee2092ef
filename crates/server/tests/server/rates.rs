//! Rate limits, as clients meet them.

use std::time::{Duration, Instant};

use berth_server::Config;
use reqwest::{Response, StatusCode};
use serde_json::Value;

use crate::support::{TestServer, config};

/// Nobody is exempt, and who comes too early is refused at once.
pub(crate) fn strict() -> Config {
    let mut config = config();
    config.rate_limits.exempt.clear();
    config.rate_limits.push.wait_milliseconds = 0;
    config
}

pub(crate) async fn start_upload(server: &TestServer) -> Response {
    reqwest::Client::new().post(server.url("/v2/a/blobs/uploads/")).send().await.unwrap()
}

#[tokio::test]
async fn uploads_beyond_the_burst_are_refused_in_the_specifications_words() {
    let server = TestServer::start(strict());
    let began = Instant::now();
    let (mut started, mut refused) = (Vec::new(), 0);
    for _ in 0..40 {
        let response = start_upload(&server).await;
        if response.status() == StatusCode::ACCEPTED {
            started.push(response.headers()["location"].to_str().unwrap().to_owned());
            continue;
        }
        refused += 1;
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(response.headers()["docker-distribution-api-version"], "registry/2.0");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["errors"][0]["code"], "TOOMANYREQUESTS");
        assert_eq!(body["errors"][0]["message"], "too many uploads started: try again in 1 s");
    }
    let allowed = usize::try_from(15 + began.elapsed().as_secs() * 5).unwrap();
    assert!((10..=allowed).contains(&started.len()), "{} in {:?}", started.len(), began.elapsed());
    assert!(refused > 0);
    let counted = server.metric(r#"berth_rate_limit_refused_total{class="push"}"#).await;
    assert!((counted - f64::from(refused)).abs() < 0.5, "{counted}");

    // What has begun goes on and ends, and nothing else is limited.
    let client = reqwest::Client::new();
    for location in &started {
        let url = server.url(location);
        let chunk = client.patch(&url).body("content").send().await.unwrap();
        assert_eq!(chunk.status(), StatusCode::ACCEPTED);
        let digest = berth_oci::Digest::of(berth_oci::Algorithm::Sha256, b"content");
        let end = client.put(format!("{url}?digest={digest}")).send().await.unwrap();
        assert_eq!(end.status(), StatusCode::CREATED);
    }
    for _ in 0..100 {
        assert_eq!(client.get(server.url("/v2/a/tags/list")).send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn by_default_many_layers_at_once_wait_and_none_fails() {
    let mut config = config();
    config.rate_limits.exempt.clear();
    let server = TestServer::start(config);
    let began = Instant::now();
    let starts = (0..31).map(|_| start_upload(&server));
    for response in futures_util::future::join_all(starts).await {
        assert_eq!(response.status(), StatusCode::ACCEPTED);
    }
    // 10 at once, then 21 at five a second.
    assert!(
        (Duration::from_millis(3_900)..Duration::from_secs(9)).contains(&began.elapsed()),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn guesses_and_calls_count_at_the_audit_trails_door_too() {
    let mut config = strict();
    let (login, api) = (&mut config.rate_limits.login, &mut config.rate_limits.api);
    (login.rate, login.burst) = ("1/m".parse().unwrap(), 3);
    (api.rate, api.burst, api.wait_milliseconds) = ("1/m".parse().unwrap(), 2, 0);
    let server = TestServer::start(config);
    let ask = || reqwest::Client::new().get(server.url("/api/v1/audit/_search"));
    for expected in [401, 401, 401, 429] {
        let response = ask().basic_auth("eve", Some("guess")).send().await.unwrap();
        assert_eq!(response.status(), expected);
    }
    for expected in [403, 403, 429] {
        assert_eq!(ask().send().await.unwrap().status(), expected);
    }
}
