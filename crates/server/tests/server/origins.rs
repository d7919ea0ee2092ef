//! Lines say where a request came from, also when it lies.

use crate::support::{TestServer, config};

#[tokio::test]
async fn proxies_are_believed_if_trusted() {
    let mut trusting = config();
    trusting.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    for (config, client_address, id) in
        [(trusting, "198.51.100.1", "from-proxy"), (config(), "127.0.0.1", "")]
    {
        let server = TestServer::start(config);
        let response = reqwest::Client::new()
            .get(server.url("/v2/"))
            .header("x-forwarded-for", "203.0.113.7, 198.51.100.1")
            .header("x-request-id", "from-proxy")
            .send()
            .await
            .unwrap();
        let returned = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert!(if id.is_empty() { returned != "from-proxy" } else { returned == id }, "{returned}");
        let lines = server.stop().await;
        assert_eq!(lines[0]["client"], client_address);
        assert_eq!(lines[0]["request_id"], returned);
    }
}

#[tokio::test]
async fn hostile_requests_leave_whole_lines() {
    let server = TestServer::start(config());
    for (target, agent) in [
        ("/v2/a%0ainjected/manifests/x", "plain"),
        ("/v2/\"},{\"x\":\"/tags/list", "a\"b\\c"),
        ("/v2/\u{e9}\u{9b}/tags/list", "\u{9b}2J\u{202e}"),
        ("/v2/../../etc/passwd", "\t\t"),
    ] {
        let mut raw = server.connect().await;
        raw.send(&format!(
            "GET {target} HTTP/1.1\r\nHost: a\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n"
        ))
        .await;
        let _ = raw.read_to_end().await;
    }
    // `stop` parses every line as JSON.
    let lines = server.stop().await;
    assert!(lines.len() >= 2, "{lines:?}");
    assert!(!lines.iter().any(|line| line.to_string().contains(['\u{9b}', '\u{202e}'])), "{lines:?}");
}
