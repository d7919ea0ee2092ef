//! Shelves: the same names, the same bytes, in a directory and in a bucket of a real gateway.

#![expect(clippy::unwrap_used, reason = "a test that can't go on must fail, loudly and at once")]

use std::time::{Duration, Instant};

use berth_blobs::{BucketConfig, Credentials, Error, Shelf, ShelfObject};
use berth_engines::{Link, Rgw};
use bytes::Bytes;
use futures_util::TryStreamExt as _;

fn bucket(prefix: &str) -> Shelf {
    bucket_at(&Rgw::shared().endpoint(), prefix)
}

fn bucket_at(endpoint: &str, prefix: &str) -> Shelf {
    let rgw = Rgw::shared();
    let config = BucketConfig {
        endpoint: Some(endpoint.to_owned()),
        region: Some(rgw.region().to_owned()),
        credentials: Some(Credentials {
            access_key_id: rgw.access_key().to_owned(),
            secret_access_key: rgw.secret_key().to_owned(),
        }),
        ..BucketConfig::new(&format!("s3://{}{prefix}", rgw.bucket())).unwrap()
    };
    Shelf::bucket(&config).unwrap()
}

async fn names(shelf: &Shelf, folder: &str) -> Vec<(String, u64)> {
    let listed: Vec<ShelfObject> = shelf.list(folder).try_collect().await.unwrap();
    let mut listed: Vec<_> = listed.into_iter().map(|object| (object.name, object.size)).collect();
    listed.sort();
    listed
}

/// Bytes that no part repeats.
fn content(len: usize) -> Bytes {
    (0..len).map(|at| u8::try_from((at / 3 + at / 251) % 256).unwrap()).collect()
}

/// What every shelf does.
async fn conforms(shelf: &Shelf) {
    assert_eq!(names(shelf, "").await, []);
    assert_eq!(shelf.get("a/b").await.unwrap(), None);
    assert_eq!(shelf.size("a/b").await.unwrap(), None);
    assert!(matches!(shelf.open("a/b").await, Err(Error::NotFound)));
    shelf.delete("a/b").await.unwrap();

    shelf.put("a/b", Bytes::from_static(b"one")).await.unwrap();
    shelf.put("a/b", Bytes::from_static(b"other")).await.unwrap();
    shelf.put("a/c d/+e%2f", Bytes::new()).await.unwrap();
    shelf.put("ab", Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(shelf.get("a/b").await.unwrap().unwrap(), "other");
    assert_eq!(shelf.size("a/b").await.unwrap(), Some(5));
    assert_eq!(shelf.size("a").await.unwrap(), None, "a folder is no object");
    let below = [("a/b".to_owned(), 5), ("a/c d/+e%2f".to_owned(), 0)];
    assert_eq!(names(shelf, "a").await, below);
    assert_eq!(names(shelf, "").await, [&below[..], &[("ab".to_owned(), 1)]].concat());
    let children = shelf.children("a").await.unwrap();
    assert_eq!(children.folders, ["c d"]);
    assert_eq!(children.objects, [ShelfObject { name: "a/b".into(), size: 5 }]);
    assert_eq!(shelf.children("").await.unwrap().folders, ["a"]);

    // More than two parts of a bucket, in pieces of their own size; and what is given up leaves nothing.
    let large = content(20_000_001);
    for finishes in [false, true] {
        let mut writer = shelf.writer("large/object", 0).await.unwrap();
        for chunk in large.chunks(1_234_567) {
            writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
            assert_eq!(shelf.size("large/object").await.unwrap(), None, "half an object is there");
        }
        if finishes { writer.finish().await.unwrap() } else { writer.discard().await }
    }
    let reader = shelf.open("large/object").await.unwrap();
    assert_eq!(reader.size(), 20_000_001);
    assert_eq!(reader.read(9_999_999, 3_000_000).await.unwrap(), large[9_999_999..12_999_999]);
    assert_eq!(shelf.get("large/object").await.unwrap().unwrap(), large);
    let exact = content(8 << 20);
    shelf.put("large/part", exact.clone()).await.unwrap();
    assert_eq!(shelf.get("large/part").await.unwrap().unwrap(), exact);

    for name in ["a/b", "a/c d/+e%2f", "ab", "large/object", "large/part"] {
        shelf.delete(name).await.unwrap();
    }
    assert_eq!(names(shelf, "").await, []);
    assert_eq!(shelf.children("").await.unwrap().folders, Vec::<String>::new());
    for wrong in ["..", "/etc/passwd", "a/../../b"] {
        assert!(matches!(shelf.get(wrong).await, Err(Error::InvalidLocation(_))), "{wrong}");
        assert!(matches!(shelf.put(wrong, Bytes::new()).await, Err(Error::InvalidLocation(_))), "{wrong}");
        assert!(shelf.list(wrong).try_collect::<Vec<_>>().await.is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn a_directory_conforms() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Shelf::directory(&dir.path().join("made/on/the/way"));
    conforms(&shelf).await;
    // Whoever died left this.
    drop(shelf.writer("x", 0).await.unwrap());
    let unfinished = dir.path().join("made/on/the/way/unfinished");
    assert_eq!(std::fs::read_dir(&unfinished).unwrap().count(), 1);
    assert_eq!(names(&shelf, "").await, []);
    shelf.clear_unfinished().await.unwrap();
    assert_eq!(std::fs::read_dir(&unfinished).unwrap().count(), 0);
}

#[tokio::test]
async fn a_bucket_conforms() {
    conforms(&bucket("")).await;
    conforms(&bucket("/some/prefix")).await;
}

#[tokio::test]
async fn one_at_a_time_changes_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (Shelf::directory(dir.path()), Shelf::directory(dir.path()));
    let lock = one.lock().await.unwrap().unwrap();
    assert!(other.lock().await.unwrap().is_none() && other.lock_to_read().await.unwrap().is_none());
    lock.release().await;
    let reads = [other.lock_to_read().await.unwrap().unwrap(), one.lock_to_read().await.unwrap().unwrap()];
    assert!(one.lock().await.unwrap().is_none());
    drop(reads);
    assert!(one.lock().await.unwrap().is_some());
}

#[tokio::test]
async fn one_at_a_time_changes_a_bucket_and_a_dead_one_is_in_nobodys_way() {
    let shelf = bucket("/leased");
    let other = shelf.clone();
    let lock = shelf.lock().await.unwrap().unwrap();
    assert!(other.lock().await.unwrap().is_none(), "two hold one lease");
    assert_eq!(names(&shelf, "").await, [], "the lease is shown");
    assert!(lock.is_held());
    lock.release().await;
    let begin = Instant::now();
    let lock = other.lock().await.unwrap().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(2), "what was let go is waited for");
    // Dropped, it renews nothing any more, as one whose process was killed.
    drop(lock);
    let (one, two) = tokio::join!(shelf.lock(), other.lock());
    let held = [one.unwrap(), two.unwrap()];
    assert_eq!(held.iter().flatten().count(), 1, "of two that wait for a dead one's lease, one gets it");
}

#[tokio::test]
async fn who_can_not_renew_a_lease_knows_that_it_is_lost_before_others_take_it() {
    let line = Link::to(Rgw::shared().address());
    let shelf = bucket_at(&format!("http://{}", line.address()), "/silent");
    let lock = shelf.lock().await.unwrap().unwrap();
    line.freeze();
    let begin = Instant::now();
    while lock.is_held() {
        assert!(begin.elapsed() < Duration::from_secs(9), "it hangs, and is believed to be held");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
