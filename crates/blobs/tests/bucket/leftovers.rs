//! What nobody remembers: found by looking, and removed.

use berth_blobs::{Blobs, Bucket, Leftover, UploadId, testing::content};
use berth_engines::Rgw;

use super::{append, config, publish, read, start};

#[tokio::test]
async fn everything_of_an_upload_but_its_blob_is_swept() {
    let config = config();
    let rgw = Rgw::shared();
    let store = Bucket::open(&config).unwrap();
    let mut uploads: Vec<_> = (0..3).map(|_| UploadId::random()).collect();
    uploads.sort();
    let [published, begun, forgotten] = uploads[..] else { panic!("three") };

    // One that was committed, and whose node died before it tidied up.
    let bytes = content(&published, 12_000_000);
    let acknowledged = append(&store, &published, start(), &bytes[..6_000_000]).await;
    let location = publish(&store, &published, acknowledged, &bytes[6_000_000..]).await;
    // One that nobody ended, with parts.
    append(&store, &begun, start(), &content(&begun, 6_000_000)).await;
    // Of one there is nothing but parts that no head names, and of both something that no head names.
    let id = forgotten.to_string();
    let key = format!("some/prefix/blobs/{}/{id}.0123456789ab", &id[..2]);
    rgw.start_parts(&config.name, &key);
    let id = begun.to_string();
    rgw.start_parts(&config.name, &format!("some/prefix/blobs/{}/{id}.0123456789ab", &id[..2]));
    rgw.put(&config.name, &format!("some/prefix/uploads/{id}/9.lost"), b"a state");
    // Not ours.
    rgw.put(&config.name, "some/prefix/uploads/readme", b"text");
    rgw.start_parts(&config.name, "another/prefix");

    let other = Bucket::open(&config).unwrap();
    let list = async |after, limit| {
        let found = other.scan_uploads(after, limit).await.unwrap();
        assert!(found.iter().all(|(_, touched)| touched.as_second() > 1_700_000_000), "{found:?}");
        found.into_iter().map(|(upload, _)| upload).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 10).await, uploads);
    assert_eq!(list(None, 2).await, uploads[..2]);
    assert_eq!(list(Some(&published), 1).await, [begun]);
    assert_eq!(list(Some(&begun), 10).await, [forgotten]);
    assert_eq!(rgw.open_parts(&config.name), 4);
    for upload in &uploads {
        other.sweep(upload).await.unwrap();
        other.sweep(upload).await.unwrap();
    }
    assert!(other.scan_uploads(None, 10).await.unwrap().is_empty());
    assert_eq!(rgw.open_parts(&config.name), 1, "that of another");
    assert_eq!(rgw.get(&config.name, "some/prefix/uploads/readme"), b"text");
    assert!(read(&other, &location).await == bytes);
    assert_eq!(other.leftover(&begun).await.unwrap(), None);
    assert_eq!(other.leftover(&published).await.unwrap(), None::<Leftover>);
}
