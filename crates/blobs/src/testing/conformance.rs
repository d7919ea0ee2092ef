//! Says what every store must do, as a test that runs on any of them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test suite that lives outside `cfg(test)` for other crates"
)]

use berth_oci::{Algorithm, Digest};
use bytes::Bytes;

use super::content;
use crate::{BlobReader, Blobs, Error, Hasher, Leftover, Location, Progress, UploadId};

/// Runs the suite. Each call of `make_store` opens the same storage as a new process would; it may hold other blobs.
///
/// # Panics
/// Where the store breaks a rule of [`Blobs`].
pub async fn conformance<S: Blobs>(make_store: impl AsyncFn() -> S) {
    let store = &make_store().await;
    reads_what_was_written(store).await;
    continues_where_it_was(&make_store).await;
    survives_a_writer_that_is_dropped(store).await;
    notices_lost_uploads(store).await;
    publishes_the_same_digest_side_by_side(store).await;
    discards_uploads_but_not_blobs(store).await;
    takes_uncommitted_publications_back(&make_store).await;
    seals_and_publishes(&make_store).await;
    deletes_and_reports_bytes(store).await;
    refuses_foreign_locations(store).await;
    scans_in_order(store).await;
    let capacity = store.capacity().await.unwrap();
    assert!(capacity.available_bytes <= capacity.total_bytes, "{capacity:?}");
}

/// Writes chunks and finishes.
async fn append(store: &dyn Blobs, upload: &UploadId, progress: Progress, chunks: &[&[u8]]) -> Progress {
    let mut writer = store.writer(upload, progress).await.unwrap();
    for chunk in chunks {
        writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    writer.finish().await.unwrap()
}

/// Uploads content and publishes it.
async fn store_blob(store: &dyn Blobs, upload: &UploadId, bytes: &[u8]) -> Location {
    let progress = append(store, upload, Progress::start(Algorithm::Sha256), &[bytes]).await;
    store.publish(upload, &progress.hasher.finish()).await.unwrap()
}

async fn read_all(reader: &dyn BlobReader, piece: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while (all.len() as u64) < reader.size() {
        let bytes = match reader.try_read(all.len() as u64, piece) {
            Some(bytes) => bytes.unwrap(),
            None => reader.read(all.len() as u64, piece).await.unwrap(),
        };
        assert!(!bytes.is_empty() && bytes.len() <= piece, "{} of at most {piece} bytes", bytes.len());
        all.extend_from_slice(&bytes);
    }
    all
}

async fn reads_what_was_written(store: &dyn Blobs) {
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        for (size, chunk) in [(0, 1), (1, 1), (4096, 1000), (300_000, 8192), (3_000_001, 700_000)] {
            let upload = UploadId::random();
            let bytes = content(&upload, size);
            let chunks: Vec<_> = bytes.chunks(chunk).collect();
            let progress = append(store, &upload, Progress::start(algorithm), &chunks).await;
            assert_eq!(progress.offset, size as u64);
            let digest = progress.hasher.finish();
            assert_eq!(digest, Digest::of(algorithm, &bytes));

            let location = store.publish(&upload, &digest).await.unwrap();
            let reader = store.open(&location).await.unwrap();
            assert_eq!((reader.size(), store.size(&location).await.unwrap()), (size as u64, size as u64));
            assert!(read_all(&*reader, 100_000).await == bytes, "{size} bytes came back changed");
            let (from, to) = (size / 3, size / 3 * 2);
            assert_eq!(reader.read(from as u64, to - from).await.unwrap(), bytes[from..to]);
            assert_eq!(reader.read(from as u64, size * 2).await.unwrap(), bytes[from..], "short at the end");
            assert!(reader.read(size as u64, 10).await.unwrap().is_empty(), "nothing lies at the end");
            assert!(reader.read(size as u64 + 10, 10).await.unwrap().is_empty(), "nothing lies behind it");
            let some = reader.read_some(from as u64, to - from).await.unwrap();
            assert!(
                bytes[from..to].starts_with(&some) && some.is_empty() == (from == to),
                "some of the bytes"
            );
            assert!(reader.read_some(size as u64, 10).await.unwrap().is_empty(), "nothing lies at the end");
            store.delete(&location).await.unwrap();
            let gone = store.size(&location).await;
            assert!(matches!(gone, Err(Error::NotFound)), "it is gone: {gone:?}");
        }
    }
}

async fn continues_where_it_was<S: Blobs>(make_store: &impl AsyncFn() -> S) {
    let (upload, size) = (UploadId::random(), 1_500_000);
    let bytes = content(&upload, size);
    let store = make_store().await;
    let early = append(&store, &upload, Progress::start(Algorithm::Sha512), &[&bytes[..500_000]]).await;
    append(&store, &upload, early.clone(), &[&bytes[..999_999]]).await;
    drop(store);

    // The second half was never acknowledged; the process ended; its state comes from a record.
    let store = make_store().await;
    let hasher = Hasher::restore(&early.hasher.save()).unwrap();
    let rest = [&bytes[500_000..700_000], &bytes[700_000..]];
    let progress = append(&store, &upload, Progress { offset: 500_000, hasher }, &rest).await;
    assert_eq!(progress.offset, size as u64);
    let digest = progress.hasher.finish();
    assert_eq!(digest, Digest::of(Algorithm::Sha512, &bytes));
    let location = store.publish(&upload, &digest).await.unwrap();
    let reader = store.open(&location).await.unwrap();
    assert!(read_all(&*reader, 1 << 20).await == bytes, "a continued upload came back changed");

    // Starting over forgets everything.
    let upload = UploadId::random();
    append(&store, &upload, Progress::start(Algorithm::Sha256), &[b"too long"]).await;
    let location = store_blob(&store, &upload, b"short").await;
    assert_eq!(read_all(&*store.open(&location).await.unwrap(), 10).await, b"short");
}

async fn survives_a_writer_that_is_dropped(store: &dyn Blobs) {
    for round in 0..8 {
        let upload = UploadId::random();
        let bytes = content(&upload, 2_000_000);
        let mut writer = store.writer(&upload, Progress::start(Algorithm::Sha256)).await.unwrap();
        for _ in 0..round {
            writer.write(Bytes::from(vec![0xff; 700_000])).await.unwrap();
        }
        drop(writer);
        let location = store_blob(store, &upload, &bytes).await;
        let reader = store.open(&location).await.unwrap();
        assert!(read_all(&*reader, 1 << 20).await == bytes, "a dropped writer wrote into its successor");
    }
}

async fn notices_lost_uploads(store: &dyn Blobs) {
    let upload = UploadId::random();
    let bytes = content(&upload, 100);
    let digest = Digest::of(Algorithm::Sha256, &bytes);
    let mut progress = append(store, &upload, Progress::start(Algorithm::Sha256), &[&bytes]).await;
    progress.offset += 1;
    let longer = store.writer(&upload, progress.clone()).await.map(drop);
    assert!(matches!(longer, Err(Error::UploadLost)), "{longer:?}");

    store.discard(&upload).await.unwrap();
    progress.offset -= 1;
    let gone = store.writer(&upload, progress).await.map(drop);
    assert!(matches!(gone, Err(Error::UploadLost)), "{gone:?}");
    let gone = store.publish(&upload, &digest).await;
    assert!(matches!(gone, Err(Error::UploadLost)), "{gone:?}");
    assert_eq!(leftover(store, &upload).await, None, "failed calls leave nothing");
}

async fn publishes_the_same_digest_side_by_side(store: &dyn Blobs) {
    let (first, second) = (UploadId::random(), UploadId::random());
    let a = store_blob(store, &first, b"one content").await;
    let b = store_blob(store, &second, b"one content").await;
    assert_ne!(a, b, "a location is never used twice");
    let digest = Digest::of(Algorithm::Sha256, b"one content");
    assert_eq!(store.publish(&first, &digest).await.unwrap(), a, "publishing again changes nothing");
    assert_eq!(store.delete(&a).await.unwrap(), Some(11));
    assert_eq!(read_all(&*store.open(&b).await.unwrap(), 100).await, b"one content");
}

async fn leftover(store: &dyn Blobs, upload: &UploadId) -> Option<Leftover> {
    let left = store.leftover(upload).await.unwrap();
    let all = store.leftovers().await.unwrap();
    assert!(all.is_sorted_by(|a, b| a.upload < b.upload), "one per upload, in order");
    if store.lists_leftovers() {
        assert_eq!(all.into_iter().find(|leftover| leftover.upload == *upload), left);
    } else {
        assert!(all.is_empty());
    }
    left
}

/// Asserts that an upload left nothing but, where the store can't tell it from a leftover, a published blob.
async fn assert_nothing_but(store: &dyn Blobs, upload: &UploadId, blob: &Location) {
    let left = leftover(store, upload).await;
    if store.lists_leftovers() || left.is_some() {
        let blob =
            (!store.lists_leftovers()).then(|| Leftover { upload: *upload, location: Some(blob.clone()) });
        assert_eq!(left, blob);
    }
}

/// Asserts that an upload was taken back: its location is free, or is still known as a leftover.
async fn assert_taken_back(store: &dyn Blobs, upload: &UploadId, location: &Location) {
    let location = match store.open(location).await {
        Err(Error::NotFound) => None,
        Ok(_) if !store.lists_leftovers() => Some(location.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(leftover(store, upload).await, Some(Leftover { upload: *upload, location }));
}

async fn discards_uploads_but_not_blobs(store: &dyn Blobs) {
    let upload = UploadId::random();
    store.discard(&upload).await.unwrap();
    append(store, &upload, Progress::start(Algorithm::Sha256), &[b"half a blob"]).await;
    assert_eq!(leftover(store, &upload).await, Some(Leftover { upload, location: None }));
    store.discard(&upload).await.unwrap();
    assert_eq!(leftover(store, &upload).await, None);

    let location = store_blob(store, &upload, b"a blob").await;
    let expected = Leftover { upload, location: Some(location.clone()) };
    assert_eq!(
        leftover(store, &upload).await,
        Some(expected),
        "a marker stays until the caller has committed"
    );
    for _ in 0..2 {
        store.discard(&upload).await.unwrap();
        assert_nothing_but(store, &upload, &location).await;
        assert_eq!(read_all(&*store.open(&location).await.unwrap(), 3).await, b"a blob");
    }
}

async fn takes_uncommitted_publications_back<S: Blobs>(make_store: &impl AsyncFn() -> S) {
    let upload = UploadId::random();
    let store = make_store().await;
    let progress = append(&store, &upload, Progress::start(Algorithm::Sha256), &[b"all of it"]).await;
    let digest = progress.clone().hasher.finish();
    let location = store.publish(&upload, &digest).await.unwrap();
    // In the process that published, after a commit that failed.
    store.writer(&upload, progress.clone()).await.map(drop).unwrap();
    assert_taken_back(&store, &upload, &location).await;
    assert_eq!(store.publish(&upload, &digest).await.unwrap(), location);
    drop(store);

    let store = make_store().await;
    let expected = Leftover { upload, location: Some(location.clone()) };
    assert_eq!(leftover(&store, &upload).await, Some(expected));
    let progress = append(&store, &upload, progress, &[b", and more"]).await;
    assert_taken_back(&store, &upload, &location).await;
    let again = store.publish(&upload, &progress.hasher.finish()).await.unwrap();
    assert_eq!(read_all(&*store.open(&again).await.unwrap(), 64).await, b"all of it, and more");
    store.discard(&upload).await.unwrap();
    assert_eq!(read_all(&*store.open(&again).await.unwrap(), 64).await, b"all of it, and more");
    if location != again {
        assert!(
            matches!(store.open(&location).await, Err(Error::NotFound)),
            "an abandoned location is freed"
        );
    }
}

async fn seals_and_publishes<S: Blobs>(make_store: &impl AsyncFn() -> S) {
    let store = make_store().await;
    for size in [0, 10, 1_000_000] {
        let upload = UploadId::random();
        let bytes = content(&upload, size);
        let half = append(&store, &upload, Progress::start(Algorithm::Sha256), &[&bytes[..size / 2]]).await;
        // Sealed, but then given up: what was acknowledged is still there, on another node too.
        let mut writer = store.writer(&upload, half.clone()).await.unwrap();
        writer.write(Bytes::from_static(b"something else")).await.unwrap();
        writer.seal().await.unwrap();
        let other = make_store().await;
        let mut writer = other.writer(&upload, half).await.unwrap();
        writer.write(Bytes::copy_from_slice(&bytes[size / 2..])).await.unwrap();
        let progress = writer.seal().await.unwrap();
        assert_eq!(progress.offset, size as u64);
        let location = other.publish(&upload, &progress.hasher.finish()).await.unwrap();
        assert!(read_all(&*other.open(&location).await.unwrap(), 1 << 18).await == bytes);
        other.discard(&upload).await.unwrap();
        assert_nothing_but(&other, &upload, &location).await;
    }
    let upload = UploadId::random();
    let mut writer = store.writer(&upload, Progress::start(Algorithm::Sha256)).await.unwrap();
    writer.write(Bytes::from_static(b"of no use")).await.unwrap();
    writer.seal().await.unwrap();
    store.discard(&upload).await.unwrap();
    assert_eq!(leftover(&store, &upload).await, None);
}

async fn deletes_and_reports_bytes(store: &dyn Blobs) {
    let upload = UploadId::random();
    let location = store_blob(store, &upload, &content(&upload, 12_345)).await;
    store.discard(&upload).await.unwrap();
    // Opened before and after: a cache must not outlive the blob.
    store.open(&location).await.unwrap();
    assert_eq!(store.delete(&location).await.unwrap(), Some(12_345));
    assert_eq!(store.delete(&location).await.unwrap(), None, "it was gone");
    assert!(matches!(store.open(&location).await, Err(Error::NotFound)));

    let upload = UploadId::random();
    let empty = store_blob(store, &upload, b"").await;
    store.discard(&upload).await.unwrap();
    assert_eq!(store.delete(&empty).await.unwrap(), Some(0), "it was there");
    store.sync_deletions(&[location, empty]).await.unwrap();
    store.sync_deletions(&[]).await.unwrap();
}

async fn refuses_foreign_locations(store: &dyn Blobs) {
    for text in ["", "..", "../../secret", "/etc/passwd", "sha256/00/00", "sha256/../sha256/ab/ab.0"] {
        let location = Location::from(text);
        let opened = store.open(&location).await.map(drop);
        assert!(matches!(opened, Err(Error::InvalidLocation(_))), "{text}: {opened:?}");
        let deleted = store.delete(&location).await;
        assert!(matches!(deleted, Err(Error::InvalidLocation(_))), "{text}: {deleted:?}");
        let synced = store.sync_deletions(std::slice::from_ref(&location)).await;
        assert!(matches!(synced, Err(Error::InvalidLocation(_))), "{text}: {synced:?}");
    }
}

async fn scans_in_order(store: &dyn Blobs) {
    let mut expected = Vec::new();
    for len in 1..=20 {
        let upload = UploadId::random();
        expected.push((store_blob(store, &upload, &content(&upload, len)).await, len as u64));
        store.discard(&upload).await.unwrap();
    }
    for limit in [1, 7, usize::MAX] {
        let mut found = Vec::new();
        loop {
            let after = found.last().map(|(location, _): &(Location, u64)| location.clone());
            let page = store.scan(after.as_ref(), limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        assert!(found.is_sorted_by(|a, b| a.0 < b.0), "every location once, in order");
        for blob in &expected {
            assert!(found.contains(blob), "{blob:?} is missing with pages of {limit}");
        }
    }
}
