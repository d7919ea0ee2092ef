//! Too many requests: who is turned away first, what they hear, and who is never kept out.

use berth_blobs::testing::{Failure, Fault, Faults, Operation};
use berth_server::Config;
use reqwest::{Method, Response, StatusCode};

use crate::support::{Raw, TestServer, config};

/// Ten places, and nobody waits for one.
fn few() -> Config {
    let mut config = config();
    config.limits.requests = 10;
    config.limits.overload.client_percent = 100;
    config.limits.overload.queue = 0;
    config
}

async fn ask(server: &TestServer, method: Method, path: &str) -> Response {
    reqwest::Client::new().request(method, server.url(path)).send().await.unwrap()
}

/// Begins to pull blobs from a store that never answers: each is at work until its client leaves.
async fn hang(server: &TestServer, path: &str, count: usize) -> Vec<Raw> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = server.connect().await;
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: berth\r\n\r\n")).await;
        clients.push(client);
    }
    clients
}

async fn until_metric(server: &TestServer, name: &str, count: u32) {
    while (server.metric(name).await - f64::from(count)).abs() > 0.5 {
        tokio::task::yield_now().await;
    }
}

const AT_WORK: &str = r#"berth_http_class_in_flight{class="download"}"#;

#[tokio::test]
async fn lists_then_pushes_then_pulls_are_told_to_come_back() {
    let faults = Faults::default();
    let server = TestServer::start_on(few(), faults.clone(), |app| app);
    let path = server.push_blob("a", 100_000).await;
    faults.plan(Fault::new(Operation::Open, Failure::Hangs).times(u64::MAX));

    let (list, push, pull) = ("/v2/a/tags/list", "/v2/a/blobs/uploads/", "/v2/a/manifests/none");
    let mut clients = Vec::new();
    for (more, listed, pushed, pulled) in
        [(4, 200, 202, 404), (1, 503, 202, 404), (3, 503, 503, 404), (2, 503, 503, 503)]
    {
        clients.extend(hang(&server, &path, more).await);
        until_metric(&server, AT_WORK, u32::try_from(clients.len()).unwrap()).await;
        for (method, target, expected, retry) in [
            (Method::GET, list, listed, "5"),
            (Method::POST, push, pushed, "2"),
            (Method::GET, pull, pulled, "1"),
        ] {
            let response = ask(&server, method, target).await;
            assert_eq!(response.status(), expected, "{target} beside {}", clients.len());
            if expected == 503 {
                assert_eq!(response.headers()["retry-after"], retry);
                let body: serde_json::Value = response.json().await.unwrap();
                assert_eq!(body["errors"][0]["code"], "UNAVAILABLE");
            }
        }
        assert_eq!(ask(&server, Method::GET, "/healthz").await.status(), 200);
        assert_eq!(ask(&server, Method::GET, "/readyz").await.status(), 200);
    }
    for (class, count) in [("list", 3.0), ("push", 2.0), ("pull", 1.0)] {
        let shed = format!(r#"berth_http_requests_shed_total{{class="{class}",reason="full"}}"#);
        assert!((server.metric(&shed).await - count).abs() < 0.5, "{class}");
    }

    drop(clients);
    until_metric(&server, AT_WORK, 0).await;
    assert_eq!(ask(&server, Method::GET, list).await.status(), 200);
}

#[tokio::test]
async fn a_slow_download_or_upload_keeps_nobody_from_work() {
    let mut config = few();
    config.limits.requests = 1;
    config.limits.overload.transfers = 3;
    let server = TestServer::start(config);
    let path = server.push_blob("a", 64 << 20).await;
    // They take the head and leave the body where it is.
    let mut slow = hang(&server, &path, 1).await;
    assert!(slow[0].read_head().await.starts_with("HTTP/1.1 200"));
    let digest = "0".repeat(64);
    let head = format!(
        "POST /v2/a/blobs/uploads/?digest=sha256:{digest} HTTP/1.1\r\nHost: berth\r\nContent-Length: 9\r\n\r\n"
    );
    let mut upload = server.connect().await;
    upload.send(&head).await;
    until_metric(&server, r#"berth_http_class_in_flight{class="upload"}"#, 1).await;

    for (method, target, expected) in [
        (Method::GET, "/v2/a/tags/list", 200),
        (Method::POST, "/v2/a/blobs/uploads/", 202),
        (Method::GET, "/v2/a/manifests/none", 404),
        (Method::HEAD, path.as_str(), 200),
    ] {
        assert_eq!(ask(&server, method, target).await.status(), expected, "{target}");
    }
    // Pushes get two of the three places for transfers, a pull the last one.
    let mut second = server.connect().await;
    second.send(&head).await;
    let refused = second.read_head().await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 2"), "{refused}");
    assert_eq!(ask(&server, Method::GET, &path).await.status(), 200);

    upload.send("some body").await;
    assert!(upload.read_head().await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn one_client_is_held_to_its_share_by_the_address_behind_the_proxy() {
    let faults = Faults::default();
    let mut config = few();
    config.limits.overload.client_percent = 50;
    config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let server = TestServer::start_on(config, faults.clone(), |app| app);
    let path = server.push_blob("a", 100_000).await;
    faults.plan(Fault::new(Operation::Open, Failure::Hangs).times(u64::MAX));
    let mut greedy = Vec::new();
    for _ in 0..5 {
        let mut client = server.connect().await;
        client
            .send(&format!("GET {path} HTTP/1.1\r\nHost: berth\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"))
            .await;
        greedy.push(client);
    }
    until_metric(&server, AT_WORK, 5).await;
    let manifest = async |client: &str| {
        let request = reqwest::Client::new().get(server.url("/v2/a/manifests/none"));
        request.header("x-forwarded-for", client).send().await.unwrap()
    };
    let refused = manifest("192.0.2.1").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["retry-after"], "1");
    let body: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(body["errors"][0]["code"], "TOOMANYREQUESTS");
    assert_eq!(manifest("192.0.2.2").await.status(), 404, "others are let in");
}

#[tokio::test]
async fn who_waits_for_a_moment_gets_in() {
    let faults = Faults::default();
    let mut config = few();
    (config.limits.requests, config.limits.overload.queue) = (1, 10);
    config.limits.overload.queue_milliseconds = 20_000;
    let server = TestServer::start_on(config, faults.clone(), |app| app);
    let path = server.push_blob("a", 100_000).await;
    faults.plan(Fault::new(Operation::Open, Failure::Hangs));
    let hanging = hang(&server, &path, 1).await;
    until_metric(&server, AT_WORK, 1).await;
    let (waiting, ()) = tokio::join!(ask(&server, Method::GET, "/v2/a/manifests/none"), async {
        until_metric(&server, r#"berth_http_class_queued{class="pull"}"#, 1).await;
        drop(hanging);
    });
    assert_eq!(waiting.status(), 404);
}
