use std::time::Duration;

use async_trait::async_trait;
use berth_blobs::{BlobReader, BlobWriter, Capacity, Leftover, Location, Progress, Result, UploadId};
use berth_registry::{Redirect, Storage};

use super::*;

/// A disk that says it could be read elsewhere.
#[derive(Debug)]
struct Linked {
    disk: Disk,
    broken: bool,
}

#[async_trait]
impl Blobs for Linked {
    async fn writer(&self, upload: &UploadId, progress: Progress) -> Result<Box<dyn BlobWriter>> {
        self.disk.writer(upload, progress).await
    }

    async fn publish(&self, upload: &UploadId, digest: &Digest) -> Result<Location> {
        self.disk.publish(upload, digest).await
    }

    async fn discard(&self, upload: &UploadId) -> Result<()> {
        self.disk.discard(upload).await
    }

    async fn open(&self, location: &Location) -> Result<Arc<dyn BlobReader>> {
        self.disk.open(location).await
    }

    async fn delete(&self, location: &Location) -> Result<Option<u64>> {
        self.disk.delete(location).await
    }

    async fn sync_deletions(&self, locations: &[Location]) -> Result<()> {
        self.disk.sync_deletions(locations).await
    }

    async fn leftovers(&self) -> Result<Vec<Leftover>> {
        self.disk.leftovers().await
    }

    async fn leftover(&self, upload: &UploadId) -> Result<Option<Leftover>> {
        self.disk.leftover(upload).await
    }

    fn upload_of(&self, location: &Location) -> Option<UploadId> {
        self.disk.upload_of(location)
    }

    async fn scan(&self, after: Option<&Location>, limit: usize) -> Result<Vec<(Location, u64)>> {
        self.disk.scan(after, limit).await
    }

    async fn link(&self, location: &Location, valid: Duration) -> Result<Option<String>> {
        if self.broken {
            return Err(berth_blobs::Error::NotFound);
        }
        Ok(Some(format!("https://bucket.example/{location}?seconds={}", valid.as_secs())))
    }

    async fn capacity(&self) -> Result<Capacity> {
        self.disk.capacity().await
    }
}

fn server(broken: bool, change: impl FnOnce(&mut Storage)) -> Server {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(&directory.path().join("blobs"), 64).unwrap();
    let access = berth_access::Config { anonymous: Some(Anonymous::Write), ..Default::default() };
    let mut storage =
        Storage { redirect: Redirect { from_bytes: 50_000, ..Default::default() }, ..Default::default() };
    change(&mut storage);
    Server::on(Arc::new(Linked { disk, broken }), directory, Config::default(), &access, storage)
}

async fn push(server: &Server, size: usize) -> String {
    format!("/v2/a/blobs/{}", server.push_blob("a", &vec![7; size]).await)
}

#[tokio::test]
async fn a_large_blob_is_fetched_from_the_store() {
    let server = server(false, |_| ());
    let target = push(&server, 100_000).await;
    let digest = target.rsplit('/').next().unwrap();
    for range in [None, Some("bytes=10-19")] {
        let mut ask = server.ask("GET", &target);
        if let Some(range) = range {
            ask = ask.header("range", range);
        }
        let reply = ask.send().await.expect(307);
        assert!(reply.header("location").starts_with("https://bucket.example/"), "{range:?}");
        assert!(reply.header("location").ends_with("?seconds=900"));
        assert_eq!(reply.header("docker-content-digest"), digest);
        assert_eq!(reply.header("cache-control"), "no-store");
        assert!(reply.body.is_empty() && reply.headers.get("etag").is_none());
    }
    let head = server.ask("HEAD", &target).send().await.expect(200);
    assert_eq!(head.header("content-length"), "100000");
    let known = server.ask("GET", &target).header("if-none-match", format!("\"{digest}\""));
    known.send().await.expect(304);
    assert!(server.app.metrics.render().await.unwrap().contains("berth_blob_redirects_total 2\n"));
}

#[tokio::test]
async fn nobody_gets_a_link_through_a_repository_that_does_not_hold_the_blob() {
    let server = server(false, |_| ());
    let target = push(&server, 100_000).await;
    server.get(target.replace("/v2/a/", "/v2/b/")).await.refused(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn the_rest_is_served_from_here() {
    let small = server(false, |_| ());
    let target = push(&small, 20_000).await;
    small.get(&target).await.expect(200);

    for change in [
        (|storage| storage.redirect.from_bytes = 0) as fn(&mut Storage),
        |storage| storage.redirect.networks = vec!["10.0.0.0/8".parse().unwrap()],
        |storage| storage.redirect.clients = vec!["containerd/".into()],
        |storage| storage.redirect.except_clients = vec!["curl/".into()],
        |storage| storage.verify_on_read = true,
    ] {
        let server = server(false, change);
        let target = push(&server, 100_000).await;
        let reply = server.ask("GET", &target).header("user-agent", "curl/8").send().await.expect(200);
        assert_eq!(reply.body.len(), 100_000);
    }
    let broken = server(true, |_| ());
    let target = push(&broken, 100_000).await;
    assert_eq!(broken.get(&target).await.expect(200).body.len(), 100_000, "no link can be made");
}
