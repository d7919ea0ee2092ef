//! Two nodes at one upload, and publications that nobody committed.

use berth_blobs::{Blobs, Bucket, Error, Leftover, UploadId, testing::content};

use super::{append, config, publish, read, seal, start};

#[tokio::test]
async fn a_publication_that_was_not_committed_is_taken_back_without_touching_it() {
    let config = config();
    let (first, second) = (Bucket::open(&config).unwrap(), Bucket::open(&config).unwrap());
    let upload = UploadId::random();
    let bytes = content(&upload, 21_000_000);
    let acknowledged = append(&first, &upload, start(), &bytes[..12_000_000]).await;
    let abandoned = publish(&first, &upload, acknowledged.clone(), &bytes[12_000_000..]).await;

    // The first node may be dead, or about to commit: the second doesn't know.
    let mut other = bytes.clone();
    other.truncate(12_000_000);
    other.extend_from_slice(b"another end");
    let location = publish(&second, &upload, acknowledged, b"another end").await;
    assert_ne!(location, abandoned);
    assert!(read(&second, &abandoned).await == bytes);
    assert!(read(&second, &location).await == other);

    // The second has committed, so the first can't.
    second.discard(&upload).await.unwrap();
    assert!(matches!(second.open(&abandoned).await, Err(Error::NotFound)));
    assert!(read(&second, &location).await == other);
    assert_eq!(second.leftover(&upload).await.unwrap(), None);
}

#[tokio::test]
async fn an_upload_that_ended_for_nothing_gives_all_its_places_back() {
    let config = config();
    let (first, second) = (Bucket::open(&config).unwrap(), Bucket::open(&config).unwrap());
    let upload = UploadId::random();
    let bytes = content(&upload, 12_000_000);
    publish(&first, &upload, start(), b"small").await;
    publish(&first, &upload, start(), &bytes).await;
    publish(&second, &upload, start(), b"small, but different").await;

    // Nobody remembers: what the expiry of sessions does.
    let third = Bucket::open(&config).unwrap();
    let mut deleted = 0;
    while let Some(Leftover { location: Some(location), .. }) = third.leftover(&upload).await.unwrap() {
        assert!(third.delete(&location).await.unwrap().is_some());
        deleted += 1;
    }
    third.discard(&upload).await.unwrap();
    assert_eq!(deleted, 3);
    assert_eq!(third.leftover(&upload).await.unwrap(), None);
    assert!(third.scan(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn of_two_that_join_the_same_parts_only_the_same_bytes_succeed() {
    let config = config();
    let stores: Vec<_> = (0..3).map(|_| Bucket::open(&config).unwrap()).collect();
    let upload = UploadId::random();
    let bytes = content(&upload, 12_000_000);
    let acknowledged = append(&stores[0], &upload, start(), &bytes[..11_000_000]).await;
    let end = &bytes[11_000_000..];
    let mut digests = Vec::new();
    for (store, end) in stores.iter().zip([end, end, &end.iter().rev().copied().collect::<Vec<_>>()]) {
        digests.push(seal(store, &upload, acknowledged.clone(), end).await.hasher.finish());
    }
    let location = stores[0].publish(&upload, &digests[0]).await.unwrap();
    assert_eq!(stores[1].publish(&upload, &digests[1]).await.unwrap(), location);
    let different = stores[2].publish(&upload, &digests[2]).await;
    assert!(matches!(different, Err(Error::UploadBusy)), "{different:?}");
    assert!(read(&stores[0], &location).await == bytes);
}

#[tokio::test]
async fn a_small_blob_never_replaces_another() {
    let config = config();
    let (first, second) = (Bucket::open(&config).unwrap(), Bucket::open(&config).unwrap());
    let upload = UploadId::random();
    let one = publish(&first, &upload, start(), b"one").await;
    let same = publish(&second, &upload, start(), b"one").await;
    assert_eq!(one, same, "the same bytes, sent twice");
    let two = publish(&second, &upload, start(), b"two").await;
    assert_ne!(one, two);
    assert_eq!(read(&first, &one).await, b"one");
    assert_eq!(read(&first, &two).await, b"two");
}
