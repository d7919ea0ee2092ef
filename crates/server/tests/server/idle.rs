//! Connections and transfers that stand still.

use std::time::{Duration, Instant};

use crate::support::{PATIENCE, TestServer, config};

/// A configuration whose patience is a second.
fn hasty() -> berth_server::Config {
    let mut config = config();
    config.limits.header_timeout_seconds = 1;
    config.limits.body_idle_seconds = 1;
    config.limits.keep_alive_seconds = 1;
    config
}

#[tokio::test]
async fn connections_that_stand_still_are_closed() {
    let server = TestServer::start(hasty());
    let began = Instant::now();
    let mut silent = server.connect().await;
    let mut half = server.connect().await;
    half.send("GET /v2/ HTTP/1.1\r\nHost: be").await;
    let mut idle = server.connect().await;
    idle.get("/healthz").await;
    let mut later = server.connect().await;
    later.get("/healthz").await;
    later.send("GET /v2/ HTTP/1.1\r\n").await;
    let mut preface = server.connect().await;
    preface.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    for raw in [&mut silent, &mut half, &mut idle, &mut later, &mut preface] {
        // Closed or reset: both free the server.
        let _ = raw.read_to_end().await;
    }
    let took = began.elapsed();
    assert!(Duration::from_millis(900) < took && took < Duration::from_secs(12), "{took:?}");
}

#[tokio::test]
async fn a_body_that_stands_still_is_refused() {
    let server = TestServer::start(hasty());
    let mut raw = server.connect().await;
    raw.send("POST /v2/a/blobs/uploads/?digest=sha256:").await;
    raw.send(&"0".repeat(64)).await;
    raw.send(" HTTP/1.1\r\nHost: berth\r\nContent-Length: 100000\r\n\r\nonly this").await;
    let head = raw.read_head().await;
    assert!(head.starts_with("HTTP/1.1 4"), "{head}");
    let lines = server.stop().await;
    assert_eq!(lines[0]["bytes_in"], 9);
}

#[tokio::test]
async fn a_download_that_nobody_takes_is_cut() {
    let server = TestServer::start(hasty());
    let path = server.push_blob("a", 64 << 20).await;
    let mut raw = server.connect().await;
    assert!(raw.get(&path).await.starts_with("HTTP/1.1 200"));
    // The server is free of it long before the client looks again.
    tokio::time::timeout(PATIENCE, async {
        while server.metric("berth_http_requests_in_flight").await > 1.0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .expect("the stuck download ends");
    assert!(raw.read_to_end().await.map_or(true, |bytes| bytes < 64 << 20));
    let lines = server.stop().await;
    let cut = lines.iter().find(|line| line["endpoint"] == "blob").unwrap();
    assert_eq!(cut["message"], "client went away");
    assert!(cut["bytes_out"].as_u64().unwrap() < 64 << 20);
}

#[tokio::test]
async fn a_slow_download_that_moves_is_not_cut() {
    let server = TestServer::start(hasty());
    let path = server.push_blob("a", 32 << 20).await;
    let mut response = reqwest::get(server.url(&path)).await.unwrap();
    let began = Instant::now();
    let (mut bytes, mut rests) = (0, 0);
    while let Some(chunk) = response.chunk().await.unwrap() {
        bytes += chunk.len();
        if bytes >> 20 > rests {
            rests = bytes >> 20;
            tokio::time::sleep(Duration::from_millis(80)).await;
        }
    }
    assert_eq!(bytes, 32 << 20);
    assert!(began.elapsed() > Duration::from_secs(2), "{:?}", began.elapsed());
}
