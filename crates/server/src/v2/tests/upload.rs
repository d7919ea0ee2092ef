use super::*;

impl Server {
    /// Starts a session and returns its location.
    async fn start(&self, query: &str) -> String {
        let reply = self.ask("POST", format!("/v2/a/blobs/uploads/{query}")).send().await.expect(202);
        reply.header("location").to_owned()
    }
}

#[tokio::test]
async fn a_session_begins_with_nothing() {
    let server = Server::open();
    for target in ["/v2/a/blobs/uploads/", "/v2/a/blobs/uploads"] {
        let reply = server.ask("POST", target).send().await.expect(202);
        let id = reply.header("docker-upload-uuid").to_owned();
        assert_eq!(reply.header("location"), format!("/v2/a/blobs/uploads/{id}"));
        assert_eq!(reply.header("range"), "0-0");
        assert!(reply.header("oci-chunk-min-length").parse::<u64>().unwrap() > 0);
        let status = server.get(reply.header("location")).await.expect(204);
        assert_eq!(status.header("location"), reply.header("location"));
        assert_eq!(status.header("range"), "0-0");
        assert_eq!(status.header("docker-upload-uuid"), id);
    }
    let reply = server.ask("POST", "/v2/a/blobs/uploads/").prefix("/x").send().await.expect(202);
    assert!(reply.header("location").starts_with("/x/v2/a/blobs/uploads/"));
}

#[tokio::test]
async fn post_then_put() {
    let server = Server::open();
    for content in [&b"hello"[..], b"", &vec![7; 200_000]] {
        let digest = Digest::of(Algorithm::Sha256, content);
        let location = server.start("").await;
        let reply =
            server.ask("PUT", format!("{location}?digest={digest}")).body(content).send().await.expect(201);
        assert_eq!(reply.header("location"), format!("/v2/a/blobs/{digest}"));
        assert_eq!(reply.header("docker-content-digest"), digest.to_string());
        assert!(server.get(reply.header("location")).await.expect(200).body == content);
        server.get(&location).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    }
}

#[tokio::test]
async fn any_algorithm_finishes_any_session() {
    let server = Server::open();
    for query in ["", "?digest-algorithm=sha256", "?digest-algorithm=sha512"] {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let digest = Digest::of(algorithm, b"hello");
            let location = server.start(query).await;
            server.ask("PATCH", &location).body(b"hel").send().await.expect(202);
            server.ask("PUT", format!("{location}?digest={digest}")).body(b"lo").send().await.expect(201);
            assert_eq!(server.get(format!("/v2/a/blobs/{digest}")).await.expect(200).body, "hello");
        }
    }
    let reply = server.ask("POST", "/v2/a/blobs/uploads/?digest-algorithm=md5").send().await;
    reply.refused(400, "UNSUPPORTED");
}

#[tokio::test]
async fn one_post_is_a_push() {
    let server = Server::open();
    let digest = Digest::of(Algorithm::Sha256, b"hello");
    let target = format!("/v2/a/blobs/uploads/?digest={digest}");
    let reply = server.ask("POST", &target).body(b"hello").send().await.expect(201);
    assert_eq!(reply.header("location"), format!("/v2/a/blobs/{digest}"));
    assert_eq!(reply.header("docker-content-digest"), digest.to_string());
    let reply = server.ask("POST", &target).body(b"hullo").send().await.refused(400, "DIGEST_INVALID");
    assert_eq!(reply.json()["errors"][0]["detail"]["given"], digest.to_string());
    server.ask("POST", &target).header("content-length", "6").body(b"hello").send().await.expect(400);
}

#[tokio::test]
async fn chunks_follow_one_another() {
    let server = Server::open();
    let content: Vec<u8> = (0..=250).cycle().take(50_000).collect();
    let digest = Digest::of(Algorithm::Sha256, &content);
    for (first, second, third) in [
        ("0-19999", "20000-39999", "40000-49999"),
        ("bytes 0-19999/50000", "bytes 20000-39999/50000", "bytes 40000-49999/*"),
        ("", "", ""),
    ] {
        let location = server.start("").await;
        let chunk = |method: &str, target: String, range: &str, bytes: std::ops::Range<usize>| {
            let ask = server.ask(method, target).body(&content[bytes]);
            if range.is_empty() { ask } else { ask.header("content-range", range) }
        };
        let reply = chunk("PATCH", location.clone(), first, 0..20_000).send().await.expect(202);
        assert_eq!((reply.header("range"), reply.header("location")), ("0-19999", location.as_str()));
        let reply = chunk("PATCH", location.clone(), second, 20_000..40_000).send().await.expect(202);
        assert_eq!(reply.header("range"), "0-39999");
        assert_eq!(server.get(&location).await.expect(204).header("range"), "0-39999");
        chunk("PUT", format!("{location}?digest={digest}"), third, 40_000..50_000).send().await.expect(201);
        assert!(server.get(format!("/v2/a/blobs/{digest}")).await.expect(200).body == content);
        server.ask("DELETE", format!("/v2/a/blobs/{digest}")).send().await.expect(202);
    }
}

#[tokio::test]
async fn a_chunk_out_of_order_is_told_where_to_go_on() {
    let server = Server::open();
    let digest = Digest::of(Algorithm::Sha256, b"0123456789");
    let location = server.start("").await;
    let reply = server.ask("PATCH", &location).header("content-range", "5-9").body(b"56789").send().await;
    let reply = reply.refused(416, "BLOB_UPLOAD_INVALID");
    assert_eq!((reply.header("range"), reply.header("location")), ("0-0", location.as_str()));
    assert_eq!(reply.json()["errors"][0]["detail"]["offset"], 0);
    server.ask("PATCH", &location).header("content-range", "0-4").body(b"01234").send().await.expect(202);
    for (method, target, range, body) in [
        ("PATCH", location.clone(), "0-4", &b"01234"[..]),
        ("PATCH", location.clone(), "6-9", b"6789"),
        ("PUT", format!("{location}?digest={digest}"), "6-9", b"6789"),
    ] {
        let reply = server.ask(method, target).header("content-range", range).body(body).send().await;
        let reply = reply.refused(416, "BLOB_UPLOAD_INVALID");
        assert_eq!((reply.header("range"), reply.header("location")), ("0-4", location.as_str()));
        assert_eq!(reply.json()["errors"][0]["detail"]["offset"], 5);
    }
    let last = server.ask("PUT", format!("{location}?digest={digest}")).header("content-range", "5-9");
    last.body(b"56789").send().await.expect(201);
}

#[tokio::test]
async fn chunks_that_contradict_themselves_are_refused() {
    let server = Server::open();
    let location = server.start("").await;
    for (range, code) in [
        ("0-3", "SIZE_INVALID"),
        ("0-5", "SIZE_INVALID"),
        ("4-0", "BLOB_UPLOAD_INVALID"),
        ("x", "BLOB_UPLOAD_INVALID"),
    ] {
        let reply = server.ask("PATCH", &location).header("content-range", range).body(b"01234").send().await;
        reply.refused(400, code);
    }
    assert_eq!(server.get(&location).await.expect(204).header("range"), "0-0");
    // A chunk of nothing lies nowhere, whatever its header says.
    server.ask("PATCH", &location).header("content-range", "0--1").send().await.expect(202);
}

#[tokio::test]
async fn a_finish_needs_a_digest_that_fits() {
    let server = Server::open();
    let location = server.start("").await;
    server.ask("PATCH", &location).body(b"hello").send().await.expect(202);
    let reply = server.ask("PUT", &location).send().await.refused(400, "DIGEST_INVALID");
    assert!(reply.message().contains("?digest="));
    server.ask("PUT", format!("{location}?digest=sha256:x")).send().await.refused(400, "DIGEST_INVALID");
    let other = Digest::of(Algorithm::Sha256, b"hullo");
    server.ask("PUT", format!("{location}?digest={other}")).send().await.refused(400, "DIGEST_INVALID");
    server.get(format!("/v2/a/blobs/{other}")).await.refused(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_session_can_be_cancelled() {
    let server = Server::open();
    let location = server.start("").await;
    server.ask("PATCH", &location).body(&vec![1; 100_000]).send().await.expect(202);
    assert!(server.ask("DELETE", &location).send().await.expect(204).body.is_empty());
    for method in ["GET", "PATCH", "DELETE"] {
        server.ask(method, &location).send().await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_read() {
    let server = Server::open();
    let location = server.start("").await;
    let ask =
        server.ask("PATCH", &location).header("content-length", "10000001").header("expect", "100-continue");
    let reply = ask.send().await.refused(413, "SIZE_INVALID");
    assert!(reply.message().contains("larger than 10000000 bytes"));
    let digest = Digest::of(Algorithm::Sha256, b"");
    let ask = server.ask("POST", format!("/v2/a/blobs/uploads/?digest={digest}"));
    ask.header("content-length", "10000001").send().await.refused(413, "SIZE_INVALID");
    let ask = server.ask("PATCH", &location).header("content-range", "9999999-10000000");
    ask.body(b"xx").send().await.refused(413, "SIZE_INVALID");
}

#[tokio::test]
async fn a_blob_is_mounted_from_where_it_is() {
    let server = Server::open();
    let digest = server.push_blob("b/c", b"hello").await;
    let target = format!("/v2/a/blobs/uploads/?mount={digest}&from=b/c");
    let reply = server.ask("POST", target).send().await.expect(201);
    assert_eq!(reply.header("location"), format!("/v2/a/blobs/{digest}"));
    assert_eq!(reply.header("docker-content-digest"), digest.to_string());
    assert_eq!(server.get(reply.header("location")).await.expect(200).body, "hello");
    server.ask("POST", format!("/v2/d/blobs/uploads/?mount={digest}")).send().await.expect(201);
    assert_eq!(server.get(format!("/v2/d/blobs/{digest}")).await.expect(200).body, "hello");
}

#[tokio::test]
async fn a_mount_that_fails_begins_a_session() {
    let server = Server::open();
    let digest = Digest::of(Algorithm::Sha512, b"hello");
    for query in
        [format!("mount={digest}&from=b"), format!("mount={digest}"), format!("mount={digest}&from=No/Such")]
    {
        let location = server.start(&format!("?{query}")).await;
        server.ask("PUT", format!("{location}?digest={digest}")).body(b"hello").send().await.expect(201);
        server.ask("DELETE", format!("/v2/a/blobs/{digest}")).send().await.expect(202);
    }
    let target = format!("/v2/a/blobs/uploads/?mount={digest}&from=b&digest={digest}");
    server.ask("POST", target).body(b"hello").send().await.expect(201);
}
