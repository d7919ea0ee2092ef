//! The bucket against a real gateway, on a line that can be broken.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on must fail, loudly and at once"
)]

mod attempts;
mod conforms;
mod doors;
mod leftovers;
mod outage;
mod requests;
mod resume;
mod wire;

use berth_blobs::{BlobReader, Blobs, Bucket, BucketConfig, Credentials, Location, Progress, UploadId};
use berth_engines::Rgw;
use berth_oci::Algorithm;
use bytes::Bytes;

/// The smallest part that services take.
const PART: usize = BucketConfig::MIN_PART_BYTES;

/// Returns the settings of a fresh bucket.
fn config() -> BucketConfig {
    let rgw = Rgw::shared();
    BucketConfig {
        endpoint: Some(rgw.endpoint()),
        region: Some(rgw.region().to_owned()),
        credentials: Some(Credentials {
            access_key_id: rgw.access_key().to_owned(),
            secret_access_key: rgw.secret_key().to_owned(),
        }),
        part_bytes: PART,
        ..BucketConfig::new(&format!("s3://{}/some/prefix", rgw.bucket())).unwrap()
    }
}

fn start() -> Progress {
    Progress::start(Algorithm::Sha256)
}

/// Writes and acknowledges.
async fn append(store: &Bucket, upload: &UploadId, progress: Progress, bytes: &[u8]) -> Progress {
    let mut writer = store.writer(upload, progress).await.unwrap();
    for chunk in bytes.chunks(300_000) {
        writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    writer.finish().await.unwrap()
}

/// Writes the last bytes.
async fn seal(store: &Bucket, upload: &UploadId, progress: Progress, bytes: &[u8]) -> Progress {
    let mut writer = store.writer(upload, progress).await.unwrap();
    for chunk in bytes.chunks(1_000_000) {
        writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    writer.seal().await.unwrap()
}

/// Writes the last bytes and publishes.
async fn publish(store: &Bucket, upload: &UploadId, progress: Progress, bytes: &[u8]) -> Location {
    let digest = seal(store, upload, progress, bytes).await.hasher.finish();
    store.publish(upload, &digest).await.unwrap()
}

async fn read(store: &Bucket, location: &Location) -> Vec<u8> {
    read_all(&*store.open(location).await.unwrap()).await
}

async fn read_all(reader: &dyn BlobReader) -> Vec<u8> {
    let mut all = Vec::new();
    while (all.len() as u64) < reader.size() {
        let at = all.len() as u64;
        let bytes = match reader.try_read(at, 256 << 10) {
            Some(bytes) => bytes.unwrap(),
            None => reader.read(at, 256 << 10).await.unwrap(),
        };
        all.extend_from_slice(&bytes);
    }
    all
}
