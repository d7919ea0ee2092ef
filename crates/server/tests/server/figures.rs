//! What `/metrics` shows, and that a panic ends one answer alone.

use std::sync::Arc;

use berth_blobs::{Disk, Metered};
use berth_server::{MetricsRegistry, Point, Sample};

use crate::support::{TestServer, config};

#[tokio::test]
async fn metrics_show_requests_connections_and_samples() {
    let mut blobs = MetricsRegistry::with_prefix("berth");
    let _ = Metered::new(Arc::new(Disk::open(tempfile::tempdir().unwrap().path(), 1).unwrap()), &mut blobs);
    let server = TestServer::start_with(config(), |app| {
        app.with_registry(blobs).with_sampler(Box::new(|| {
            Box::pin(async {
                vec![Sample {
                    points: vec![Point { labels: vec![("state", "waiting".into())], value: 7.0 }],
                    ..Sample::gauge("queue_length", "Things that wait", 0.0)
                }]
            })
        }))
    });
    let path = server.push_blob("a/b", 100_000).await;
    assert_eq!(reqwest::get(server.url(&path)).await.unwrap().bytes().await.unwrap().len(), 100_000);

    let response = reqwest::get(server.url("/metrics")).await.unwrap();
    assert_eq!(
        response.headers()["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let text = response.text().await.unwrap();
    for line in [
        r#"berth_http_requests_total{endpoint="upload",method="POST",status="2xx"} 1"#,
        r#"berth_http_requests_total{endpoint="blob",method="GET",status="2xx"} 1"#,
        r#"berth_pulls_total{endpoint="blob",outcome="success"} 1"#,
        r#"berth_pushes_total{endpoint="upload",outcome="success"} 1"#,
        r#"berth_pull_latency_seconds_count{endpoint="blob"} 1"#,
        r#"berth_queue_length{state="waiting"} 7.0"#,
        "berth_http_requests_in_flight 1",
        "berth_uploads_in_flight 0",
        "berth_log_lines_dropped_total 0",
        r#"berth_blobs_errors_total{operation="read"} 0"#,
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing from {text}");
    }
    assert!(server.metric("berth_http_sent_bytes_total").await > 100_000.0);
    assert!(server.metric("berth_http_received_bytes_total").await > 100_000.0);
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_server_lives() {
    let server =
        TestServer::start_with(config(), |app| app.with_sampler(Box::new(|| panic!("secret of the house"))));
    let response = reqwest::get(server.url("/metrics")).await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert!(response.headers().contains_key("x-request-id"));
    let body: serde_json::Value = response.json().await.unwrap();
    assert_eq!(body["errors"][0]["code"], "UNKNOWN");
    assert!(!body.to_string().contains("secret"));
    assert_eq!(reqwest::get(server.url("/healthz")).await.unwrap().status(), 200);

    let lines = server.stop().await;
    assert_eq!(lines[0]["status"], 500);
    assert_eq!(lines[0]["level"], "ERROR");
    assert_eq!(lines[0]["error"], "handler panicked: secret of the house");
}
