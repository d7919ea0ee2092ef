//! Shutdown: transfers finish, idle connections don't hold it up, and it ends.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::support::{TestServer, config};

#[tokio::test]
async fn a_slow_download_finishes() {
    for http2 in [false, true] {
        let mut server = TestServer::start(config());
        let path = server.push_blob("a", 32 << 20).await;
        let builder = reqwest::Client::builder();
        let client = if http2 { builder.http2_prior_knowledge() } else { builder }.build().unwrap();
        let mut response = client.get(server.url(&path)).send().await.unwrap();
        let mut bytes = response.chunk().await.unwrap().unwrap().len();

        server.begin_stop();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(TcpStream::connect(server.address).await.is_err(), "the listener is closed");
        while let Some(chunk) = response.chunk().await.unwrap() {
            bytes += chunk.len();
        }
        assert_eq!(bytes, 32 << 20);
        drop(response);
        let lines = server.stopped().await;
        let pull = lines.iter().find(|line| line["endpoint"] == "blob").unwrap();
        assert_eq!((&pull["message"], &pull["bytes_out"]), (&"request served".into(), &(32 << 20).into()));
    }
}

#[tokio::test]
async fn a_slow_upload_finishes() {
    let mut server = TestServer::start(config());
    let mut upload = server.connect().await;
    let digest = berth_oci::Digest::of(berth_oci::Algorithm::Sha256, b"slow but whole");
    upload
        .send(&format!(
            "POST /v2/a/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: a\r\nContent-Length: 14\r\n\r\nslow "
        ))
        .await;
    while server.metric("berth_uploads_in_flight").await < 1.0 {
        tokio::task::yield_now().await;
    }
    server.begin_stop();
    tokio::time::sleep(Duration::from_millis(300)).await;
    upload.send("but whole").await;
    assert!(upload.read_head().await.starts_with("HTTP/1.1 201"));
    server.stopped().await;
}

#[tokio::test]
async fn a_transfer_beyond_the_grace_is_cut() {
    let mut server = TestServer::start(berth_server::Config { shutdown_grace_seconds: 1, ..config() });
    let path = server.push_blob("a", 64 << 20).await;
    let mut raw = server.connect().await;
    raw.get(&path).await;

    let began = Instant::now();
    server.begin_stop();
    let lines = server.stopped().await;
    let took = began.elapsed();
    assert!(Duration::from_millis(900) < took && took < Duration::from_secs(10), "{took:?}");
    let pull = lines.iter().find(|line| line["endpoint"] == "blob").unwrap();
    assert_eq!(pull["message"], "client went away");
    assert!(raw.read_to_end().await.map_or(true, |bytes| bytes < 64 << 20));
}
