//! `/healthz`, `/readyz`, `/metrics`, and a handler that panics.

use crate::support::{TestServer, config};

#[tokio::test]
async fn probes_answer() {
    let server = TestServer::start(config());
    let nothing = "nothing here: the registry is at /v2/, its state at /healthz, /readyz and /metrics\n";
    let ready = r#"{"status":"ready","out":[],"read_only":false}"#;
    for (path, status, body) in [
        ("/healthz", 200, "ok\n"),
        ("/readyz", 200, ready),
        ("/readyz?strict", 200, ready),
        ("/", 404, nothing),
        ("/v2x", 404, nothing),
    ] {
        let response = reqwest::get(server.url(path)).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.text().await.unwrap(), body, "{path}");
    }
    let response = reqwest::Client::new().post(server.url("/healthz")).send().await.unwrap();
    assert_eq!(response.status(), 405);
}

#[tokio::test]
async fn probe_and_metrics_say_that_it_is_read_only() {
    let mut switch = None;
    let server = TestServer::start_with(config(), |app| {
        switch = Some(app.read_only().clone());
        app
    });
    assert!(server.metric("berth_read_only").await < 0.5);
    switch.unwrap().set(true);
    assert!(server.metric("berth_read_only").await > 0.5);
    let response = reqwest::get(server.url("/readyz")).await.unwrap();
    assert_eq!(response.status(), 200, "it serves pulls");
    assert_eq!(response.text().await.unwrap(), r#"{"status":"ready","out":[],"read_only":true}"#);
}
