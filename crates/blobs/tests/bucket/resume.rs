//! Uploads that go on: on another node, after a crash, behind bytes that nobody acknowledged.

use berth_blobs::{Blobs, Bucket, Error, Hasher, Leftover, Progress, UploadId, testing::content};
use berth_oci::{Algorithm, Digest};
use bytes::Bytes;

use super::{PART, append, config, publish, read, start};

const SIZE: usize = 60_000_000;

/// What a catalog gives back.
fn restored(progress: &Progress) -> Progress {
    Progress { offset: progress.offset, hasher: Hasher::restore(&progress.hasher.save()).unwrap() }
}

#[tokio::test]
async fn a_large_blob_comes_in_parts_and_back_in_windows() {
    let store = Bucket::open(&config()).unwrap();
    let upload = UploadId::random();
    let bytes = content(&upload, SIZE);
    let location = publish(&store, &upload, start(), &bytes).await;
    let expected = Leftover { upload, location: Some(location.clone()) };
    assert_eq!(store.leftover(&upload).await.unwrap(), Some(expected));
    store.discard(&upload).await.unwrap();
    assert_eq!(store.leftover(&upload).await.unwrap(), None);
    assert!(read(&store, &location).await == bytes);

    // At any position, by several at once.
    let reader = store.open(&location).await.unwrap();
    let (a, b) = (SIZE / 3, SIZE / 2);
    let (one, two) = tokio::join!(reader.read(a as u64, 7_000_000), reader.read(b as u64, 3));
    assert!(one.unwrap() == bytes[a..a + 7_000_000]);
    assert!(two.unwrap() == bytes[b..b + 3]);
    assert!(reader.read(b as u64 + 3, 500_000).await.unwrap() == bytes[b + 3..b + 500_003]);
    assert!(reader.read(SIZE as u64 - 5, 10).await.unwrap() == bytes[SIZE - 5..]);
    assert_eq!(store.delete(&location).await.unwrap(), Some(SIZE as u64));
}

#[tokio::test]
async fn exactly_one_part_and_exactly_several() {
    let store = Bucket::open(&config()).unwrap();
    for size in [PART - 1, PART, PART + 1, 2 * PART] {
        let upload = UploadId::random();
        let bytes = content(&upload, size);
        let location = publish(&store, &upload, start(), &bytes).await;
        store.discard(&upload).await.unwrap();
        assert!(read(&store, &location).await == bytes, "{size} bytes");
    }
}

#[tokio::test]
async fn another_node_goes_on_where_the_first_died_in_the_middle_of_a_part() {
    let config = config();
    let first = Bucket::open(&config).unwrap();
    let upload = UploadId::random();
    let bytes = content(&upload, SIZE);
    let acknowledged = append(&first, &upload, start(), &bytes[..12_345_678]).await;
    let mut writer = first.writer(&upload, acknowledged.clone()).await.unwrap();
    for chunk in bytes[12_345_678..40_000_001].chunks(900_000) {
        writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    drop(writer);
    drop(first);

    let second = Bucket::open(&config).unwrap();
    let acknowledged =
        append(&second, &upload, restored(&acknowledged), &bytes[12_345_678..31_000_000]).await;
    // A third, with other settings: parts stay as they were begun.
    let third = Bucket::open(&berth_blobs::BucketConfig { part_bytes: 8 << 20, ..config }).unwrap();
    let location = publish(&third, &upload, restored(&acknowledged), &bytes[31_000_000..]).await;
    third.discard(&upload).await.unwrap();
    assert!(read(&third, &location).await == bytes);
    assert_eq!(third.leftover(&upload).await.unwrap(), None);
}

#[tokio::test]
async fn bytes_that_nobody_acknowledged_are_cut_off() {
    let config = config();
    let store = Bucket::open(&config).unwrap();
    let upload = UploadId::random();
    let bytes = content(&upload, 33_000_000);
    let acknowledged = append(&store, &upload, start(), &bytes[..12_000_000]).await;
    // Made durable, in three more parts and a tail, but the catalog never heard of it.
    append(&store, &upload, acknowledged.clone(), &vec![0xff; 20_000_000]).await;

    let other = Bucket::open(&config).unwrap();
    let location = publish(&other, &upload, restored(&acknowledged), &bytes[12_000_000..]).await;
    other.discard(&upload).await.unwrap();
    assert!(read(&other, &location).await == bytes);
}

#[tokio::test]
async fn a_state_of_other_bytes_is_refused() {
    let store = Bucket::open(&config()).unwrap();
    let upload = UploadId::random();
    let progress = append(&store, &upload, start(), b"what was acknowledged").await;
    let mut other = Hasher::new(Algorithm::Sha256);
    other.update(b"something of its size");
    assert_eq!(progress.offset, 21);
    let opened = store.writer(&upload, Progress { offset: 21, hasher: other }).await.map(drop);
    assert!(matches!(opened, Err(Error::UploadLost)), "{opened:?}");
    store.writer(&upload, progress).await.map(drop).unwrap();
}

#[tokio::test]
async fn chunks_of_many_requests_leave_little_behind() {
    let config = config();
    let store = Bucket::open(&config).unwrap();
    let upload = UploadId::random();
    let bytes = content(&upload, 13_000_000);
    let mut progress = start();
    for chunk in bytes.chunks(1_300_000) {
        progress = append(&store, &upload, restored(&progress), chunk).await;
    }
    // Published without a seal, by a node that has seen none of it.
    let other = Bucket::open(&config).unwrap();
    let digest = progress.hasher.finish();
    assert_eq!(digest, Digest::of(Algorithm::Sha256, &bytes));
    let location = other.publish(&upload, &digest).await.unwrap();
    assert_eq!(other.publish(&upload, &digest).await.unwrap(), location, "again, it changes nothing");
    other.discard(&upload).await.unwrap();
    assert!(read(&other, &location).await == bytes);
    assert_eq!(other.leftover(&upload).await.unwrap(), None);
}
