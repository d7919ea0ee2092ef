//! A service in trouble.

use std::time::{Duration, Instant};

use berth_blobs::{Blobs, Bucket, BucketConfig, Error, Result, UploadId, testing::content};
use berth_engines::Rgw;
use bytes::Bytes;

use super::{
    append, config, publish, read, start,
    wire::{Mode, Wire},
};

fn assert_unavailable<T>(what: &str, result: Result<T>) {
    match result {
        Err(Error::Unavailable(_)) => {}
        Err(error) => panic!("{what}: {error:?}"),
        Ok(_) => panic!("{what} succeeded"),
    }
}

#[tokio::test]
async fn every_call_says_that_the_service_is_not_available_and_heals() {
    let wire = Wire::to(Rgw::shared().address()).await;
    let config = BucketConfig {
        endpoint: Some(wire.endpoint.clone()),
        request_timeout: Duration::from_millis(400),
        patience: Duration::from_secs(1),
        ..config()
    };
    let store = Bucket::open(&config).unwrap();
    let (upload, other) = (UploadId::random(), UploadId::random());
    let bytes = content(&upload, 7_000_000);
    let location = publish(&store, &other, start(), b"a blob").await;
    let acknowledged = append(&store, &upload, start(), &bytes[..6_000_000]).await;
    let digest = acknowledged.clone().hasher.finish();

    for mode in [Mode::Refuses, Mode::Cuts, Mode::Hangs] {
        wire.set(mode.clone());
        let what = format!("{mode:?}");
        assert_unavailable(&what, store.open(&location).await);
        assert_unavailable(&what, store.writer(&upload, acknowledged.clone()).await.map(drop));
        assert_unavailable(&what, store.publish(&upload, &digest).await);
        assert_unavailable(&what, store.discard(&upload).await);
        assert_unavailable(&what, store.leftover(&upload).await);
        assert_unavailable(&what, store.delete(&location).await);
        assert_unavailable(&what, store.scan(None, 1).await);
        assert_unavailable(&what, store.identity().await);
        let mut writer = store.writer(&other, start()).await.unwrap();
        let written = writer.write(Bytes::from(vec![0; 6_000_000])).await;
        let sealed = if written.is_ok() { writer.seal().await.map(drop) } else { written };
        assert_unavailable(&what, sealed);

        // By now it asks no more.
        wire.heads();
        let begin = Instant::now();
        for _ in 0..100 {
            assert_unavailable(&what, store.open(&location).await);
        }
        assert!(begin.elapsed() < Duration::from_secs(4), "{what}: {:?}", begin.elapsed());
        assert!(wire.heads().len() < 20, "{what}");

        wire.set(Mode::Passes);
        let begin = Instant::now();
        while let Err(error) = store.open(&location).await {
            assert!(
                matches!(error, Error::Unavailable(_)) && begin.elapsed() < Duration::from_secs(20),
                "{error:?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    // Nothing was lost.
    let location = publish(&store, &upload, acknowledged, &bytes[6_000_000..]).await;
    store.discard(&upload).await.unwrap();
    assert!(read(&store, &location).await == bytes);
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_loses_no_blob() {
    let good = config();
    let store = Bucket::open(&good).unwrap();
    let upload = UploadId::random();
    let location = publish(&store, &upload, start(), b"a blob").await;
    let wrong = Bucket::open(&BucketConfig { name: "not-there".into(), ..good.clone() }).unwrap();
    assert_unavailable("open", wrong.open(&location).await);
    assert_unavailable("delete", wrong.delete(&location).await);
    assert_unavailable("identity", wrong.identity().await);
    assert_unavailable("leftover", wrong.leftover(&upload).await);

    let mut denied = good;
    if let Some(credentials) = &mut denied.credentials {
        credentials.secret_access_key = "wrong".into();
    }
    let denied = Bucket::open(&denied).unwrap();
    assert!(matches!(denied.open(&location).await, Err(Error::Io(..))));
}

#[tokio::test]
async fn the_gateway_itself_ends_and_comes_back() {
    let rgw = Rgw::start_new();
    let config = BucketConfig {
        endpoint: Some(rgw.endpoint()),
        name: rgw.bucket(),
        patience: Duration::from_secs(1),
        ..config()
    };
    let store = Bucket::open(&config).unwrap();
    let upload = UploadId::random();
    let bytes = content(&upload, 13_000_000);
    let acknowledged = append(&store, &upload, start(), &bytes[..7_000_000]).await;
    rgw.stop();
    assert_unavailable("writer", store.writer(&upload, acknowledged.clone()).await.map(drop));
    rgw.start();
    let begin = Instant::now();
    while store.identity().await.is_err() {
        assert!(begin.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let location = publish(&store, &upload, acknowledged, &bytes[7_000_000..]).await;
    store.discard(&upload).await.unwrap();
    assert!(read(&store, &location).await == bytes);
}
