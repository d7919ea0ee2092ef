//! Rate limits, as clients meet them.

use std::time::{Duration, Instant};

use berth_server::Config;
use reqwest::{Response, StatusCode};
use serde_json::Value;

use crate::support::{TestServer, config};

/// Nobody is exempt, and who comes too early is refused at once.
fn strict() -> Config {
    let mut config = config();
    config.rate_limits.exempt.clear();
    config.rate_limits.push.wait_milliseconds = 0;
    config
}

async fn start_upload(server: &TestServer) -> Response {
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
async fn who_waits_takes_no_place_from_others() {
    let mut config = config();
    config.rate_limits.exempt.clear();
    (config.limits.requests, config.limits.overload.queue) = (2, 0);
    (config.limits.overload.client_percent, config.limits.overload.push_percent) = (100, 100);
    config.rate_limits.push.burst = 1;
    let server = TestServer::start(config);
    assert_eq!(start_upload(&server).await.status(), StatusCode::ACCEPTED);
    let held = futures_util::future::join_all((0..10).map(|_| start_upload(&server)));
    let others = async {
        while server.metric("berth_rate_limit_held").await < 5.0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..20 {
            let response = reqwest::get(server.url("/v2/a/manifests/none")).await.unwrap();
            assert_eq!(response.status(), StatusCode::NOT_FOUND);
        }
    };
    let (_, ()) = tokio::join!(held, others);
}

#[tokio::test]
async fn two_nodes_allow_what_is_configured_for_both() {
    let mut config = strict();
    (config.rate_limits.nodes, config.rate_limits.push.rate) = (2, "1/m".parse().unwrap());
    let nodes = [TestServer::start(config.clone()), TestServer::start(config)];
    let mut begun = [0; 2];
    for n in 0..40 {
        begun[n % 2] += usize::from(start_upload(&nodes[n % 2]).await.status() == StatusCode::ACCEPTED);
    }
    assert_eq!(begun, [5, 5], "half of the burst of ten on each");
}

#[tokio::test]
async fn the_address_behind_a_trusted_proxy_counts() {
    let mut config = strict();
    config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    config.rate_limits.push.rate = "1/m".parse().unwrap();
    let server = TestServer::start(config);
    let count = async |client: &str| {
        let mut begun = 0;
        for _ in 0..15 {
            let request = reqwest::Client::new().post(server.url("/v2/a/blobs/uploads/"));
            let response = request.header("x-forwarded-for", client).send().await.unwrap();
            begun += u32::from(response.status() == StatusCode::ACCEPTED);
        }
        begun
    };
    assert_eq!(count("192.0.2.1").await, 10);
    assert_eq!(count("192.0.2.2").await, 10);
    assert_eq!(count("192.0.2.1").await, 0);
}
