//! Limits on headers, connections and requests.

use berth_server::Server;

use crate::support::{TestServer, app, config};

#[tokio::test]
async fn headers_are_limited_in_size_and_number() {
    let mut config = config();
    config.limits.header_bytes = 8 * 1024;
    let server = TestServer::start(config);
    let client = reqwest::Client::new();
    let two = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();

    for client in [&client, &two] {
        let fits =
            client.get(server.url("/v2/")).header("x-filler", "a".repeat(6 * 1024)).send().await.unwrap();
        assert_eq!(fits.status(), 200);
        let large = client.get(server.url("/v2/")).header("x-filler", "a".repeat(10 * 1024)).send().await;
        // HTTP/2 may refuse the frame that carries it before there is a request to answer.
        assert!(large.is_err() || large.is_ok_and(|response| response.status() == 431));
    }

    let mut many = client.get(server.url("/v2/"));
    for n in 0..101 {
        many = many.header(format!("x-{n}"), "1");
    }
    assert_eq!(many.send().await.unwrap().status(), 431);
}

#[tokio::test]
async fn more_headers_can_be_allowed() {
    let mut config = config();
    config.limits.header_count = 200;
    let server = TestServer::start(config);
    let mut many = reqwest::Client::new().get(server.url("/v2/"));
    for n in 0..150 {
        many = many.header(format!("x-{n}"), "1");
    }
    assert_eq!(many.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_connection_beyond_the_limit_waits_for_a_place() {
    let mut config = config();
    config.limits.connections = 1;
    let server = TestServer::start(config);
    let mut first = server.connect().await;
    assert!(first.get("/healthz").await.contains("200"));

    let mut second = server.connect().await;
    second.send("GET /healthz HTTP/1.1\r\nHost: berth\r\n\r\n").await;
    let waits = tokio::time::timeout(std::time::Duration::from_millis(300), second.read_head()).await;
    assert!(waits.is_err());
    drop(first);
    assert!(second.read_head().await.contains("200"));
}

#[tokio::test]
async fn an_address_in_use_and_a_limit_of_nothing_are_refused() {
    let server = TestServer::start(config());
    let directory = tempfile::tempdir().unwrap();
    let taken = berth_server::Config { listen: vec![server.address], ..config() };
    let error = Server::bind(app(taken, directory.path())).unwrap_err().to_string();
    assert!(error.starts_with(&format!("can't listen on {}: ", server.address)), "{error}");

    let mut nothing = config();
    nothing.limits.requests = 0;
    let directory = tempfile::tempdir().unwrap();
    let error = Server::bind(app(nothing, directory.path())).unwrap_err().to_string();
    assert_eq!(error, "http.limits.requests is 0: use 1 or more");
}
