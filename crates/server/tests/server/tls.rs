//! TLS: protocols, certificates that change, handshakes that fail.

use std::path::Path;
use std::time::Duration;

use berth_server::Server;
use reqwest::{Certificate, Client, Version};

use crate::support::{TestServer, app, config};

/// Writes a new self-signed pair into a directory; returns the certificate, for clients to trust.
fn issue(directory: &Path) -> Certificate {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::create_dir_all(directory).unwrap();
    std::fs::write(directory.join("tls.crt"), pair.cert.pem()).unwrap();
    std::fs::write(directory.join("tls.key"), pair.signing_key.serialize_pem()).unwrap();
    Certificate::from_pem(pair.cert.pem().as_bytes()).unwrap()
}

/// Points the link `live` at another directory, as Kubernetes does.
fn switch(root: &Path, to: &str) {
    let next = root.join("next");
    std::os::unix::fs::symlink(to, &next).unwrap();
    std::fs::rename(next, root.join("live")).unwrap();
}

fn client(trusted: &Certificate) -> reqwest::ClientBuilder {
    Client::builder().tls_certs_only([trusted.clone()]).pool_max_idle_per_host(0)
}

fn start(root: &Path, http2: bool) -> TestServer {
    let tls = berth_server::Tls::new(root.join("live/tls.crt"), root.join("live/tls.key"));
    TestServer::start(berth_server::Config { tls: Some(tls), http2, ..config() })
}

fn url(server: &TestServer) -> String {
    format!("https://localhost:{}/v2/", server.address.port())
}

#[tokio::test]
async fn the_protocol_is_negotiated() {
    let root = tempfile::tempdir().unwrap();
    let certificate = issue(&root.path().join("live"));
    for (http2, expected) in [(true, Version::HTTP_2), (false, Version::HTTP_11)] {
        let server = start(root.path(), http2);
        let response = client(&certificate).build().unwrap().get(url(&server)).send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, expected));
        let one = client(&certificate).http1_only().build().unwrap();
        assert_eq!(one.get(url(&server)).send().await.unwrap().version(), Version::HTTP_11);
    }
}

#[tokio::test]
async fn a_plain_or_broken_handshake_harms_nobody() {
    let root = tempfile::tempdir().unwrap();
    let certificate = issue(&root.path().join("live"));
    let server = start(root.path(), true);
    let mut plain = server.connect().await;
    plain.send("GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let _ = plain.read_to_end().await;
    assert!(Client::new().get(url(&server)).send().await.is_err(), "the certificate isn't trusted");
    assert!(client(&certificate).build().unwrap().get(url(&server)).send().await.is_ok());
}

#[tokio::test]
async fn a_changed_certificate_is_taken_up() {
    let root = tempfile::tempdir().unwrap();
    let first = issue(&root.path().join("1"));
    let second = issue(&root.path().join("2"));
    issue(&root.path().join("broken"));
    std::fs::write(root.path().join("broken/tls.key"), "no key").unwrap();
    switch(root.path(), "1");
    let server = start(root.path(), true);
    let (first, second) = (client(&first).build().unwrap(), client(&second).build().unwrap());
    assert!(first.get(url(&server)).send().await.is_ok());
    assert!(second.get(url(&server)).send().await.is_err());

    switch(root.path(), "broken");
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(first.get(url(&server)).send().await.is_ok(), "the old pair stays in use");

    switch(root.path(), "2");
    tokio::time::timeout(Duration::from_secs(10), async {
        while second.get(url(&server)).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .expect("the new pair is taken up");
    assert!(first.get(url(&server)).send().await.is_err());
}

#[tokio::test]
async fn a_server_without_a_usable_pair_does_not_start() {
    let root = tempfile::tempdir().unwrap();
    issue(&root.path().join("1"));
    for (certificate, key, complaint) in [
        ("none.crt", "1/tls.key", "can't read "),
        ("1/tls.crt", "1/tls.crt", "can't use "),
        ("1/tls.key", "1/tls.key", "it holds no PEM certificate"),
    ] {
        let tls = berth_server::Tls::new(root.path().join(certificate), root.path().join(key));
        let directory = tempfile::tempdir().unwrap();
        let app = app(berth_server::Config { tls: Some(tls), ..config() }, directory.path());
        let error = Server::bind(app).unwrap_err().to_string();
        assert!(error.contains(complaint), "{error}");
    }
}
