//! Access lines, request ids and what proxies say.

use serde_json::json;

use crate::support::{PATIENCE, TestServer, config};

#[tokio::test]
async fn every_request_has_one_line() {
    let server = TestServer::start(config());
    let path = server.push_blob("team/app", 100_000).await;
    let client = reqwest::Client::builder().user_agent("test/1 \u{202e}").build().unwrap();
    let response = client.get(server.url(&path)).basic_auth("nobody", Some("hunter2")).send().await.unwrap();
    let refused = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(response.status(), 401);
    client.get(server.url(&format!("{path}?token=hunter2"))).send().await.unwrap().bytes().await.unwrap();
    client.head(server.url(&path)).send().await.unwrap();

    let lines = server.stop().await;
    assert!(!lines.iter().any(|line| line.to_string().contains("hunter2")), "{lines:?}");
    let [push, denied, pull, head] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(
        (&push["bytes_in"], &push["status"], &push["method"]),
        (&100_000.into(), &201.into(), &"POST".into())
    );
    assert_eq!((&denied["request_id"], &denied["status"]), (&refused.into(), &401.into()));
    assert_eq!(denied["message"], "request refused");

    let digest = path.rsplit('/').next().unwrap();
    let expected = json!({
        "level": "INFO",
        "message": "request served",
        "client": "127.0.0.1",
        "caller": "anonymous",
        "method": "GET",
        "path": path,
        "repository": "team/app",
        "reference": digest,
        "endpoint": "blob",
        "status": 200,
        "bytes_in": 0,
        "bytes_out": 100_000,
        "protocol": "HTTP/1.1",
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&pull[field], value, "{field} of {pull}");
    }
    assert!(pull["duration_us"].as_u64().unwrap() > 0);
    assert_eq!(pull["timestamp"].as_str().unwrap().len(), "2026-11-24T16:15:29.123456Z".len());
    assert_eq!((&head["method"], &head["bytes_out"]), (&"HEAD".into(), &0.into()));
    assert_eq!(head["message"], "request served");
}

#[tokio::test]
async fn a_client_that_leaves_is_seen() {
    let server = TestServer::start(config());
    let path = server.push_blob("a", 64 << 20).await;
    let mut raw = server.connect().await;
    raw.get(&path).await;
    drop(raw);
    let mut upload = server.connect().await;
    let digest = "0".repeat(64);
    upload.send(&format!("POST /v2/a/blobs/uploads/?digest=sha256:{digest} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")).await;
    while server.metric("berth_uploads_in_flight").await < 1.0 {
        tokio::task::yield_now().await;
    }
    drop(upload);
    tokio::time::timeout(PATIENCE, async {
        while server.metric("berth_http_requests_in_flight").await > 1.0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("both requests end");

    let lines = server.stop().await;
    let of = |endpoint: &str, status: u64| {
        lines.iter().filter(|line| line["endpoint"] == endpoint && line["status"] == status).count()
    };
    assert_eq!(of("blob", 200), 1);
    let download = lines.iter().find(|line| line["endpoint"] == "blob").unwrap();
    assert_eq!(download["message"], "client went away");
    // The upload's handler was dropped, or had seen the broken body first.
    let upload = lines.iter().filter(|line| line["endpoint"] == "upload").nth(1).unwrap();
    assert!(upload["status"].as_u64().unwrap() >= 400, "{upload}");
    assert_eq!(upload["bytes_in"], 3);
}
