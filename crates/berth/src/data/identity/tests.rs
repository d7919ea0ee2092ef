use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use berth_blobs::{Blobs, Disk, Hasher, Progress, UploadId};
use berth_catalog::{Catalog, Clock};
use berth_oci::Algorithm;
use tempfile::TempDir;

use super::super::store::Store;
use super::{join, open};

struct Fixture(TempDir);

impl Fixture {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn store(&self) -> PathBuf {
        self.0.path().join("store")
    }

    fn disk(&self) -> Store {
        Store::Disk { root: self.store(), open_files: 1 }
    }

    fn catalog(&self) -> Catalog {
        Catalog::open(&self.0.path().join("catalog.db"), Clock::system()).unwrap()
    }

    async fn open(&self) -> Result<Arc<dyn Blobs>> {
        open(&self.catalog(), &self.disk()).await
    }

    async fn join(&self) -> Result<Arc<dyn Blobs>> {
        join(&self.catalog(), &self.disk()).await
    }

    fn name(&self) -> String {
        Disk::identity(&self.store()).unwrap().unwrap()
    }

    fn lose_catalog(&self) {
        fs::remove_file(self.0.path().join("catalog.db")).unwrap();
    }
}

fn refusal(outcome: Result<Arc<dyn Blobs>>) -> String {
    outcome.unwrap_err().to_string()
}

/// Stores a blob.
async fn fill(disk: &dyn Blobs) {
    let upload = UploadId::random();
    let start = Progress { offset: 0, hasher: Hasher::new(Algorithm::Sha256) };
    let mut writer = disk.writer(&upload, start).await.unwrap();
    writer.write("content".into()).await.unwrap();
    let digest = writer.finish().await.unwrap().hasher.finish();
    disk.publish(&upload, &digest).await.unwrap();
    disk.discard(&upload).await.unwrap();
}

#[tokio::test]
async fn a_new_pair_is_named_and_known_again() {
    let fixture = Fixture::new();
    assert!(refusal(fixture.join().await).contains("start `berth serve` first"));
    assert!(!fixture.store().exists(), "a command makes no store");
    fill(fixture.open().await.unwrap().as_ref()).await;
    let name = fixture.name();
    fixture.join().await.unwrap();
    fixture.open().await.unwrap();
    assert_eq!(fixture.name(), name);
}

#[tokio::test]
async fn a_store_that_is_not_mounted_is_missed_and_not_made() {
    let fixture = Fixture::new();
    fixture.open().await.unwrap();
    let (name, elsewhere) = (fixture.name(), fixture.0.path().join("elsewhere"));
    fs::rename(fixture.store(), &elsewhere).unwrap();
    for refused in [fixture.open().await, fixture.join().await] {
        let error = refusal(refused);
        assert!(error.contains("mount it") && error.contains(&name), "{error}");
    }
    assert!(!fixture.store().exists());

    // An empty mount point, and one where the advice was followed.
    fs::create_dir(fixture.store()).unwrap();
    refusal(fixture.open().await);
    fs::write(fixture.store().join("identity"), name).unwrap();
    fixture.open().await.unwrap();
}

#[tokio::test]
async fn another_store_is_refused() {
    let (one, other) = (Fixture::new(), Fixture::new());
    one.open().await.unwrap();
    other.open().await.unwrap();
    for refused in [open(&one.catalog(), &other.disk()).await, join(&one.catalog(), &other.disk()).await] {
        let error = refusal(refused);
        assert!(error.contains(&one.name()) && error.contains(&other.name()), "{error}");
    }
}

#[tokio::test]
async fn a_new_catalog_takes_an_empty_store_and_no_other() {
    let fixture = Fixture::new();
    let disk = fixture.open().await.unwrap();
    let name = fixture.name();
    // What a crash between the two names leaves.
    fixture.lose_catalog();
    fixture.open().await.unwrap();
    assert_eq!(fixture.name(), name);

    fill(disk.as_ref()).await;
    for nameless in [false, true] {
        if nameless {
            fs::remove_file(fixture.store().join("identity")).unwrap();
        }
        fixture.lose_catalog();
        let error = refusal(fixture.open().await);
        assert!(error.contains("restore the catalog"), "{error}");
    }
    assert_eq!(disk.scan(None, 10).await.unwrap().len(), 1);
}
