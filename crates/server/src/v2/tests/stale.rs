use berth_registry::Storage;

use super::*;

/// A server that serves for so long what it remembers.
fn server(serve_stale_seconds: u64) -> Server {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(&directory.path().join("blobs"), 64).unwrap();
    let access = berth_access::Config { anonymous: Some(Anonymous::Write), ..Default::default() };
    let storage = Storage { serve_stale_seconds, ..Default::default() };
    Server::on(Arc::new(disk), directory, Config::default(), &access, storage)
}

#[tokio::test]
async fn without_the_database_pulls_are_refused_clearly_and_so_are_lists() {
    let server = server(0);
    server.app.registry.suppose_catalog_lost(true);
    for target in ["/v2/a/manifests/x", &format!("/v2/a/blobs/{}", Digest::of(Algorithm::Sha256, b"x"))] {
        for method in ["GET", "HEAD"] {
            let reply = server.ask(method, target).send().await.expect(503);
            assert_eq!(reply.header("retry-after"), "1");
            assert!(reply.headers.get("berth-stale").is_none());
        }
        let reply = server.get(target).await.refused(503, "UNAVAILABLE");
        assert!(reply.message().contains("can't reach its database"), "{}", reply.message());
        assert!(reply.context.error.unwrap().contains("as the test supposes"), "the cause is logged");
    }
}

#[tokio::test]
async fn what_is_remembered_is_served_and_labelled() {
    let server = server(60);
    let (digest, content) = server.push_image("a", "x", &json!({})).await;
    let blob = format!("/v2/a/blobs/{}", server.push_blob("a", &vec![7; 100_000]).await);
    let manifests = ["/v2/a/manifests/x".to_owned(), format!("/v2/a/manifests/{digest}")];
    for target in manifests.iter().chain([&blob]) {
        let fresh = server.get(target).await.expect(200);
        assert!(fresh.headers.get("berth-stale").is_none() && fresh.headers.get("age").is_none());
    }
    server.app.registry.suppose_catalog_lost(true);
    for target in manifests.iter().chain([&blob]) {
        for method in ["GET", "HEAD"] {
            let reply = server.ask(method, target).send().await.expect(200);
            let age: u64 = reply.header("berth-stale").parse().unwrap();
            assert!(age < 60, "{method} {target}: {age}");
            assert_eq!(reply.header("age"), reply.header("berth-stale"));
        }
    }
    assert_eq!(server.get(&manifests[0]).await.expect(200).body, content);
    let part = server.ask("GET", &blob).header("range", "bytes=0-9").send().await.expect(206);
    assert_eq!((part.body.len(), part.header("berth-stale")), (10, "0"));
    server.get("/v2/a/manifests/other").await.refused(503, "UNAVAILABLE");

    server.app.registry.suppose_catalog_lost(false);
    let fresh = server.get(&manifests[0]).await.expect(200);
    assert!(fresh.headers.get("berth-stale").is_none());
    let metrics = server.app.metrics.render().await.unwrap();
    assert!(metrics.contains("berth_stale_pulls_total 8\n"), "{metrics}");
}
