use std::{fs, path::PathBuf};

use berth_oci::Algorithm;
use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::{
    Disk,
    testing::{Failure, Fault, Faults, Faulty, Operation, conformance, content},
};

/// A slow store, its faults and a cache in front.
struct Fixture {
    dir: TempDir,
    faults: Faults,
    store: Arc<dyn Blobs>,
    cached: Cached,
}

impl Fixture {
    fn new(bytes: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::default();
        let disk: Arc<dyn Blobs> = Arc::new(Disk::open(&dir.path().join("store"), 0).unwrap());
        let store: Arc<dyn Blobs> = Arc::new(Faulty::new(disk, faults.clone()));
        let cached = Cached::open(Arc::clone(&store), &dir.path().join("cache"), bytes).unwrap();
        Self { dir, faults, store, cached }
    }

    /// What a process finds that starts after a kill.
    fn restart(&mut self, bytes: u64) {
        self.cached = Cached::open(Arc::clone(&self.store), &self.dir.path().join("cache"), bytes).unwrap();
    }

    async fn store(&self, size: usize) -> (Location, Vec<u8>) {
        let upload = UploadId::random();
        let bytes = content(&upload, size);
        let mut writer = self.cached.writer(&upload, Progress::start(Algorithm::Sha256)).await.unwrap();
        writer.write(Bytes::copy_from_slice(&bytes)).await.unwrap();
        let digest = writer.seal().await.unwrap().hasher.finish();
        let location = self.cached.publish(&upload, &digest).await.unwrap();
        self.cached.discard(&upload).await.unwrap();
        (location, bytes)
    }

    async fn read(&self, location: &Location) -> Vec<u8> {
        let reader = self.cached.open(location).await.unwrap();
        read_all(&*reader).await
    }

    /// Reads a blob, and waits until it is on the disk.
    async fn warm(&self, location: &Location) {
        self.read(location).await;
        while self.cached.0.index.lock().fill(&directory::key(location)).is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Makes every call to the store fail.
    fn cut_off(&self) {
        for operation in [Operation::Open, Operation::Read] {
            self.faults.plan(Fault::new(operation, Failure::Unavailable).times(u64::MAX));
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        fs::read_dir(self.dir.path().join("cache")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

async fn read_all(reader: &dyn BlobReader) -> Vec<u8> {
    let mut all = Vec::new();
    while (all.len() as u64) < reader.size() {
        let bytes = match reader.try_read(all.len() as u64, 100_000) {
            Some(bytes) => bytes.unwrap(),
            None => reader.read(all.len() as u64, 100_000).await.unwrap(),
        };
        all.extend_from_slice(&bytes);
    }
    all
}

#[tokio::test]
async fn conforms() {
    let dir = tempfile::tempdir().unwrap();
    for bytes in [100 << 20, 1 << 20, 0] {
        conformance(async || {
            let disk = Arc::new(Disk::open(&dir.path().join("store"), 8).unwrap());
            Cached::open(disk, &dir.path().join("cache"), bytes).unwrap()
        })
        .await;
    }
}

#[tokio::test]
async fn what_was_read_is_served_without_the_store_also_after_a_kill() {
    let mut fixture = Fixture::new(10 << 20);
    let (location, bytes) = fixture.store(3_000_000).await;
    fixture.warm(&location).await;
    assert_eq!(fixture.cached.stats(), CacheStats { hits: 0, misses: 1, corrupt: 0, bytes: 3_000_000 });
    let (other, _) = fixture.store(2_000_000).await;
    fs::write(fixture.dir.path().join(format!("cache/{}.7.part", directory::key(&other))), "half").unwrap();
    fixture.cut_off();
    assert!(fixture.read(&location).await == bytes);
    fixture.restart(10 << 20);
    assert!(fixture.read(&location).await == bytes);
    assert!(matches!(fixture.cached.open(&other).await, Err(Error::Unavailable(_))));
    assert!(matches!(fixture.cached.open_uncached(&location).await, Err(Error::Unavailable(_))));
    assert_eq!(fixture.files().len(), 1, "what was coming is gone");
}

#[tokio::test]
async fn a_blob_that_comes_anew_is_not_disturbed_by_its_coming_before() {
    let fixture = Fixture::new(50 << 20);
    let (location, bytes) = fixture.store(20_000_000).await;
    let first = fixture.cached.open(&location).await.unwrap();
    fixture.cached.0.forget(&location).await;
    let second = fixture.cached.open(&location).await.unwrap();
    let (one, other) = futures_util::future::join(read_all(&*first), read_all(&*second)).await;
    assert!(one == bytes && other == bytes);
}

#[tokio::test]
async fn who_finds_a_bad_file_late_does_not_stop_the_blob_that_comes_in_its_stead() {
    let mut fixture = Fixture::new(50 << 20);
    let (location, bytes) = fixture.store(20_000_000).await;
    fixture.warm(&location).await;
    fs::write(&fixture.files()[0], vec![0; 20_000_000]).unwrap();
    fixture.restart(50 << 20);
    let bad = fixture.cached.0.index.lock().touch(&directory::key(&location)).unwrap();
    let coming = fixture.cached.open(&location).await.unwrap();
    fixture.cached.0.drop_bad(&bad).await;
    assert!(fixture.cached.0.index.lock().fill(&directory::key(&location)).is_some(), "it still comes");
    assert!(read_all(&*coming).await == bytes);
    fixture.warm(&location).await;
    fixture.cut_off();
    assert!(fixture.read(&location).await == bytes);
}

#[tokio::test]
async fn many_readers_share_one_stream() {
    let fixture = Fixture::new(50 << 20);
    let (location, bytes) = fixture.store(20_000_000).await;
    let readers = futures_util::future::join_all((0..20).map(|_| fixture.read(&location))).await;
    assert!(readers.into_iter().all(|read| read == bytes));
    let stats = fixture.cached.stats();
    assert!(stats.misses >= 1 && stats.hits + stats.misses == 20, "{stats:?}");
    assert_eq!(stats.bytes, 20_000_000);
}

#[tokio::test]
async fn a_stream_that_breaks_is_no_concern_of_those_who_read() {
    let fixture = Fixture::new(50 << 20);
    let (location, bytes) = fixture.store(20_000_000).await;
    fixture.faults.plan(Fault::new(Operation::Read, Failure::Unavailable).after_bytes(5_000_000));
    let reader = fixture.cached.open(&location).await.unwrap();
    assert!(reader.read(19_000_000, 100).await.unwrap() == bytes[19_000_000..19_000_100], "far ahead");
    assert!(read_all(&*reader).await == bytes);
    assert!(fixture.read(&location).await == bytes);
}

#[tokio::test]
async fn files_that_changed_are_fetched_again() {
    let mut fixture = Fixture::new(10 << 20);
    for damage in ["flipped", "cut", "gone"] {
        let (location, bytes) = fixture.store(500_000).await;
        fixture.warm(&location).await;
        let files = fixture.files();
        let path =
            files.iter().find(|path| path.to_string_lossy().contains(&directory::key(&location))).unwrap();
        let mut changed = bytes.clone();
        changed[250_000] ^= 1;
        match damage {
            "flipped" => fs::write(path, &changed).unwrap(),
            "cut" => fs::write(path, &bytes[..100]).unwrap(),
            _ => fs::remove_file(path).unwrap(),
        }
        fixture.restart(10 << 20);
        assert!(fixture.read(&location).await == bytes, "{damage}");
        assert_eq!(fixture.cached.stats().corrupt, u64::from(damage != "gone"), "{damage}");
        fixture.warm(&location).await;
        fixture.cut_off();
        assert!(fixture.read(&location).await == bytes, "{damage}");
        fixture.faults.clear();
    }
}

#[tokio::test]
async fn it_never_holds_more_than_it_may() {
    let mut fixture = Fixture::new(1_000_000);
    let mut locations = Vec::new();
    for _ in 0..12 {
        let (location, bytes) = fixture.store(200_000).await;
        fixture.warm(&location).await;
        assert!(fixture.read(&location).await == bytes);
        locations.push(location);
        let on_disk: u64 = fixture.files().iter().map(|path| path.metadata().unwrap().len()).sum();
        assert!(on_disk <= 1_000_000 && fixture.cached.stats().bytes <= 1_000_000, "{on_disk}");
    }
    assert_eq!(fixture.files().len(), 5);
    let (large, bytes) = fixture.store(600_000).await;
    assert!(fixture.read(&large).await == bytes);
    assert_eq!(fixture.files().len(), 5, "one blob takes half at most");
    fixture.restart(400_000);
    assert_eq!(fixture.files().len(), 2);
    fixture.cut_off();
    fixture.cached.open(&locations[11]).await.unwrap();
}

#[tokio::test]
async fn what_was_deleted_is_not_served() {
    let fixture = Fixture::new(50 << 20);
    let (location, _) = fixture.store(500_000).await;
    fixture.warm(&location).await;
    fixture.cached.delete(&location).await.unwrap();
    assert!(matches!(fixture.cached.open(&location).await, Err(Error::NotFound)));
    assert!(fixture.files().is_empty());

    // While it comes.
    let (location, _) = fixture.store(20_000_000).await;
    let reader = fixture.cached.open(&location).await.unwrap();
    reader.read(0, 10).await.unwrap();
    fixture.cached.delete(&location).await.unwrap();
    assert!(matches!(fixture.cached.open(&location).await, Err(Error::NotFound)));
    while fixture.cached.stats().bytes > 0 || !fixture.files().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
