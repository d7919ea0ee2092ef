//! What goes over the line.

use std::time::Duration;

use berth_blobs::{Blobs, Bucket, BucketConfig, Encryption, Error, Location, UploadId, testing::content};
use berth_engines::Rgw;

use super::{
    append, config, publish, read, start,
    wire::{Mode, Wire},
};

async fn wired() -> (Wire, BucketConfig) {
    let wire = Wire::to(Rgw::shared().address()).await;
    let config = BucketConfig { endpoint: Some(wire.endpoint.clone()), ..config() };
    (wire, config)
}

fn count(heads: &[String], what: &str) -> usize {
    heads.iter().filter(|head| head.contains(what)).count()
}

#[tokio::test]
async fn nothing_is_listed_but_by_a_scan() {
    let (wire, config) = wired().await;
    let store = Bucket::open(&config).unwrap();
    assert_eq!(store.identity().await.unwrap(), None);
    assert_eq!(store.identify("one").await.unwrap(), "one");
    assert_eq!(store.identify("two").await.unwrap(), "one", "it has a name");
    let upload = UploadId::random();
    let bytes = content(&upload, 12_000_000);
    let acknowledged = append(&store, &upload, start(), &bytes[..6_000_000]).await;
    let location = publish(&store, &upload, acknowledged, &bytes[6_000_000..]).await;
    store.leftover(&upload).await.unwrap();
    store.leftovers().await.unwrap();
    store.discard(&upload).await.unwrap();
    assert!(read(&store, &location).await == bytes);
    store.capacity().await.unwrap();
    let small = UploadId::random();
    let other = publish(&store, &small, start(), b"small").await;
    store.discard(&small).await.unwrap();
    store.delete(&other).await.unwrap();
    assert_eq!(store.delete(&other).await.unwrap(), None);
    store.sync_deletions(&[other]).await.unwrap();
    let heads = wire.heads();
    assert_eq!(count(&heads, "list-type="), 0, "{heads:#?}");
    assert_eq!(count(&heads, "?uploads"), 1);

    assert_eq!(store.scan(None, 10).await.unwrap(), [(location, 12_000_000)]);
    assert_eq!(count(&wire.heads(), "list-type="), 1);
}

#[tokio::test]
async fn a_small_blob_costs_two_requests_and_a_pull_one() {
    let (wire, config) = wired().await;
    let store = Bucket::open(&config).unwrap();
    let upload = UploadId::random();
    let bytes = content(&upload, 900_000);
    let location = publish(&store, &upload, start(), &bytes).await;
    store.discard(&upload).await.unwrap();
    let heads = wire.heads();
    assert_eq!((heads.len(), count(&heads, "PUT /")), (2, 1), "{heads:#?}");
    assert!(read(&store, &location).await == bytes);
    assert_eq!(wire.heads().len(), 1);
}

#[tokio::test]
async fn a_size_is_one_request_that_brings_no_bytes() {
    let (wire, config) = wired().await;
    let store = Bucket::open(&config).unwrap();
    let location = publish(&store, &UploadId::random(), start(), &vec![7; 300_000]).await;
    wire.heads();
    assert_eq!(store.size(&location).await.unwrap(), 300_000);
    let heads = wire.heads();
    assert_eq!((heads.len(), count(&heads, "HEAD /")), (1, 1), "{heads:#?}");
    store.delete(&location).await.unwrap();
    assert!(matches!(store.size(&location).await, Err(Error::NotFound)));
}

#[tokio::test]
async fn a_large_blob_is_read_in_few_requests_and_no_byte_is_asked_for_twice() {
    let (wire, config) = wired().await;
    let store = Bucket::open(&config).unwrap();
    let upload = UploadId::random();
    let bytes = content(&upload, 75_000_000);
    let location = publish(&store, &upload, start(), &bytes).await;
    wire.heads();
    assert!(read(&store, &location).await == bytes);
    let heads = wire.heads();
    let mut ranges: Vec<_> =
        heads.iter().flat_map(|head| head.lines()).filter(|line| line.starts_with("range:")).collect();
    ranges.sort_by_key(|range| range.len());
    let expected =
        ["range: bytes=0-4194303", "range: bytes=4194304-71303167", "range: bytes=71303168-74999999"];
    assert_eq!((heads.len(), ranges), (3, expected.to_vec()));
}

#[tokio::test]
async fn encryption_is_asked_for() {
    for (encryption, headers) in [
        (Encryption::Service, &["x-amz-server-side-encryption: AES256"][..]),
        (Encryption::KeyManagement(None), &["x-amz-server-side-encryption: aws:kms"]),
        (
            Encryption::KeyManagement(Some("one".into())),
            &["x-amz-server-side-encryption: aws:kms", "x-amz-server-side-encryption-aws-kms-key-id: one"],
        ),
    ] {
        let (wire, config) = wired().await;
        let store = Bucket::open(&BucketConfig { encryption: Some(encryption), ..config }).unwrap();
        for (size, method) in [(100, "PUT /"), (6_000_000, "POST /")] {
            let upload = UploadId::random();
            let mut writer = store.writer(&upload, start()).await.unwrap();
            // The gateway has no keys: it must refuse, not store in the clear.
            let refused = match writer.write(content(&upload, size).into()).await {
                Ok(()) => match writer.seal().await {
                    Ok(progress) => store.publish(&upload, &progress.hasher.finish()).await.map(drop),
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            assert!(matches!(refused, Err(Error::Io(..))), "{refused:?}");
            let heads: Vec<_> = wire.heads().into_iter().filter(|head| head.starts_with(method)).collect();
            for header in headers {
                assert!(count(&heads, header) > 0, "{header}: {heads:#?}");
            }
        }
        assert!(store.scan(None, 10).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_link_fetches_exactly_the_blob() {
    let store = Bucket::open(&config()).unwrap();
    let upload = UploadId::random();
    let bytes = content(&upload, 700_000);
    let location = publish(&store, &upload, start(), &bytes).await;
    let link = store.link(&location, Duration::from_mins(1)).await.unwrap().unwrap();
    let answer = reqwest::get(&link).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.unwrap() == bytes);
    let other = publish(&store, &UploadId::random(), start(), b"another").await;
    let stolen = link.replace(location.as_str(), other.as_str());
    assert_ne!(stolen, link);
    assert_eq!(reqwest::get(stolen).await.unwrap().status(), 403, "for this blob only");
    let put = reqwest::Client::new().put(&link).body("changed").send().await.unwrap();
    assert_eq!(put.status(), 403, "for reading only");
    let wrong = store.link(&Location::from("identity"), Duration::from_mins(1)).await;
    assert!(matches!(wrong, Err(Error::InvalidLocation(_))), "{wrong:?}");
}

#[tokio::test]
async fn answers_that_are_lost_change_nothing() {
    let (wire, config) = wired().await;
    let store = Bucket::open(&config).unwrap();
    let upload = UploadId::random();
    let bytes = content(&upload, 12_000_000);
    // The request that joins the parts.
    let progress = super::seal(&store, &upload, start(), &bytes).await;
    wire.set(Mode::CutsAnswer("POST /", 0));
    let location = store.publish(&upload, &progress.hasher.finish()).await.unwrap();
    assert!(wire.is(&Mode::Passes), "it was cut");
    assert!(read(&store, &location).await == bytes);

    // A part.
    let upload = UploadId::random();
    wire.set(Mode::CutsAnswer("partNumber=2", 0));
    let location = publish(&store, &upload, start(), &bytes).await;
    assert!(wire.is(&Mode::Passes), "it was cut");
    assert!(read(&store, &location).await == bytes);

    // A blob of one request.
    let upload = UploadId::random();
    wire.set(Mode::CutsAnswer("/blobs/", 0));
    let location = publish(&store, &upload, start(), &bytes[..1_000_000]).await;
    assert!(wire.is(&Mode::Passes), "it was cut");
    assert!(read(&store, &location).await == bytes[..1_000_000]);

    // The middle of a download, also of one that began too long ago for the client library to try again.
    let impatient = Bucket::open(&BucketConfig { patience: Duration::ZERO, ..config }).unwrap();
    wire.set(Mode::CutsAnswer("GET /", 300_000));
    assert!(read(&impatient, &location).await == bytes[..1_000_000]);
    assert!(wire.is(&Mode::Passes), "it was cut");
    wire.set(Mode::CutsAnswer("GET /", 300_000));
    assert!(read(&store, &location).await == bytes[..1_000_000]);
    assert!(wire.is(&Mode::Passes), "it was cut");
}
