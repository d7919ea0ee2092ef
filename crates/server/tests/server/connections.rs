//! Protocols, and connections that stand still.

use std::time::Duration;

use reqwest::Version;

use crate::support::{TestServer, config};

#[tokio::test]
async fn both_protocols_are_spoken_on_one_port() {
    let server = TestServer::start(config());
    let one = reqwest::Client::builder().http1_only().build().unwrap();
    let two = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    for (client, version) in [(one, Version::HTTP_11), (two, Version::HTTP_2)] {
        let response = client.get(server.url("/v2/")).send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, version));
    }
    let lines = server.stop().await;
    assert_eq!((&lines[0]["protocol"], &lines[1]["protocol"]), (&"HTTP/1.1".into(), &"HTTP/2".into()));
}

#[tokio::test]
async fn http2_can_be_turned_off() {
    let server = TestServer::start(berth_server::Config { http2: false, ..config() });
    let two = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    assert!(two.get(server.url("/v2/")).send().await.is_err());
    assert!(reqwest::get(server.url("/v2/")).await.unwrap().status().is_success());
}

#[tokio::test]
async fn a_request_that_comes_in_pieces_is_understood() {
    let server = TestServer::start(config());
    let mut raw = server.connect().await;
    for piece in ["P", "RI", "OR /healthz HTTP/1.1\r\n", "Host: berth\r\n", "\r\n"] {
        raw.send(piece).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(raw.read_head().await.starts_with("HTTP/1.1 405"));
}

#[tokio::test]
async fn requests_follow_each_other_on_a_connection() {
    let server = TestServer::start(config());
    let mut raw = server.connect().await;
    for _ in 0..3 {
        assert!(raw.get("/healthz").await.contains("HTTP/1.1 200"));
    }
    raw.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(raw.read_to_end().await.unwrap() > 200);
}
