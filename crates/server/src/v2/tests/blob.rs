use super::*;

const SIZE: usize = 300_000;

fn content() -> Vec<u8> {
    (0..=250_u8).cycle().take(SIZE).collect()
}

/// A blob in a file and one in the catalog's row.
async fn blobs(server: &Server) -> [(String, Vec<u8>); 2] {
    let (large, small) = (content(), content()[..2048].to_vec());
    let target = |digest| format!("/v2/a/blobs/{digest}");
    [
        (target(server.push_blob("a", &large).await), large),
        (target(server.push_blob("a", &small).await), small),
    ]
}

#[tokio::test]
async fn a_blob_comes_back() {
    let server = Server::open();
    for (target, content) in blobs(&server).await {
        let get = server.get(&target).await.expect(200);
        assert!(get.body == content);
        let head = server.ask("HEAD", &target).send().await.expect(200);
        assert!(head.body.is_empty());
        assert_eq!(head.header("content-length"), content.len().to_string());
        let digest = target.rsplit('/').next().unwrap();
        for reply in [get, head] {
            assert_eq!(reply.header("content-type"), "application/octet-stream");
            assert_eq!(reply.header("docker-content-digest"), digest);
            assert_eq!(reply.header("etag"), format!("\"{digest}\""));
            assert_eq!(reply.header("accept-ranges"), "bytes");
            assert_eq!(reply.header("cache-control"), "max-age=31536000, immutable");
        }
    }
}

#[tokio::test]
async fn a_client_that_has_it_gets_304_if_it_is_still_there() {
    let server = Server::open();
    let [(target, _), _] = blobs(&server).await;
    let digest = target.rsplit('/').next().unwrap();
    let ask = |method: &str, target: &str| {
        server.ask(method, target).header("if-none-match", format!("\"{digest}\"")).send()
    };
    for method in ["GET", "HEAD"] {
        let reply = ask(method, &target).await.expect(304);
        assert!(reply.body.is_empty() && reply.headers.get("content-type").is_none());
    }
    ask("GET", &target.replace("/v2/a/", "/v2/b/")).await.refused(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn one_range_is_a_part() {
    let server = Server::open();
    for (target, content) in blobs(&server).await {
        let size = content.len();
        for (range, wanted) in [
            ("bytes=500-1499", 500..1500),
            ("bytes=500-", 500..size),
            ("bytes=-500", size - 500..size),
            ("bytes=2000-999999", 2000..size),
            ("bytes=0-0", 0..1),
            ("bytes=0-", 0..size),
            ("bytes=10-19,15-29", 10..30),
        ] {
            let reply = server.ask("GET", &target).header("range", range).send().await.expect(206);
            assert!(reply.body == content[wanted.clone()], "{range}");
            let content_range = format!("bytes {}-{}/{size}", wanted.start, wanted.end - 1);
            assert_eq!(reply.header("content-range"), content_range);
            assert_eq!(reply.header("content-type"), "application/octet-stream");
        }
        let head = server.ask("HEAD", &target).header("range", "bytes=0-0").send().await.expect(200);
        assert_eq!(head.header("content-length"), size.to_string());
    }
}

#[tokio::test]
async fn several_ranges_are_parts_of_one_body() {
    let server = Server::open();
    for (target, content) in blobs(&server).await {
        let reply =
            server.ask("GET", &target).header("range", "bytes=1000-1009,0-4,-3").send().await.expect(206);
        let boundary = reply.header("content-type").strip_prefix("multipart/byteranges; boundary=").unwrap();
        assert!(reply.headers.get("content-range").is_none());
        let size = content.len();
        let mut wanted = Vec::new();
        for range in [1000..1010, 0..5, size - 3..size] {
            let (first, last) = (range.start, range.end - 1);
            let separator = if wanted.is_empty() { "" } else { "\r\n" };
            let head = format!(
                "{separator}--{boundary}\r\nContent-Type: application/octet-stream\r\n\
                 Content-Range: bytes {first}-{last}/{size}\r\n\r\n"
            );
            wanted.extend(head.bytes());
            wanted.extend(&content[range]);
        }
        wanted.extend(format!("\r\n--{boundary}--\r\n").bytes());
        assert!(reply.body == wanted);
    }
}

#[tokio::test]
async fn ranges_outside_are_refused_and_malformed_ones_ignored() {
    let server = Server::open();
    let [_, (target, content)] = blobs(&server).await;
    for range in ["bytes=5000-10000", "bytes=2048-", "bytes=500-0"] {
        let reply =
            server.ask("GET", &target).header("range", range).send().await.refused(416, "SIZE_INVALID");
        assert_eq!(reply.header("content-range"), "bytes */2048", "{range}");
    }
    for range in ["bytes=x", "lines=0-1", "bytes", "bytes=1-2-3"] {
        let reply = server.ask("GET", &target).header("range", range).send().await.expect(200);
        assert!(reply.body == content, "{range}");
    }
}

#[tokio::test]
async fn if_range_decides_whether_a_range_applies() {
    let server = Server::open();
    let [_, (target, _)] = blobs(&server).await;
    let etag = format!("\"{}\"", target.rsplit('/').next().unwrap());
    let ask = |condition: &str| {
        server.ask("GET", &target).header("range", "bytes=0-9").header("if-range", condition).send()
    };
    assert_eq!(ask(&etag).await.expect(206).body.len(), 10);
    assert_eq!(ask("\"other\"").await.expect(200).body.len(), 2048);
    assert_eq!(ask("Wed, 21 Oct 2015 07:28:00 GMT").await.expect(200).body.len(), 2048);
}

#[tokio::test]
async fn the_empty_blob_is_a_blob() {
    let server = Server::open();
    let digest = server.push_blob("a", b"").await;
    let target = format!("/v2/a/blobs/{digest}");
    assert!(server.get(&target).await.expect(200).body.is_empty());
    assert_eq!(server.ask("HEAD", &target).send().await.expect(200).header("content-length"), "0");
    assert!(server.ask("GET", &target).header("range", "bytes=0-").send().await.expect(200).body.is_empty());
}

#[tokio::test]
async fn a_blob_is_seen_only_where_it_was_pushed_and_until_it_is_deleted() {
    let server = Server::open();
    let digest = server.push_blob_as("a", Algorithm::Sha512, b"hello").await;
    server.get(format!("/v2/b/blobs/{digest}")).await.refused(404, "BLOB_UNKNOWN");
    let target = format!("/v2/a/blobs/{digest}");
    server.get(&target).await.expect(200);
    server.ask("DELETE", &target).send().await.expect(202);
    let reply = server.get(&target).await.refused(404, "BLOB_UNKNOWN");
    assert_eq!(reply.json()["errors"][0]["detail"]["digest"], digest.to_string());
    server.ask("DELETE", &target).send().await.refused(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_truncated_file_ends_one_response_or_is_not_served() {
    let server = Server::open();
    let [(target, _), (other, _)] = blobs(&server).await;
    let files = walk(&server.directory.path().join("blobs"));
    let file = files.iter().find(|file| file.metadata().unwrap().len() == SIZE as u64).unwrap();
    std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(1000).unwrap();
    let request = Request::get(&target).body(Full::new(Bytes::new())).unwrap();
    let mut context = server.get("/v2/").await.context;
    let response = handle(&server.app, &mut context, request).await;
    // Either noticed when it is opened, or while it is read.
    assert!(response.status() == 404 || response.into_body().collect().await.is_err());
    server.get(&other).await.expect(200);
}

fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
