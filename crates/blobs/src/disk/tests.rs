use std::{fs, os::unix::fs::MetadataExt as _, path::PathBuf};

use berth_oci::Algorithm;
use bytes::Bytes;
use prometheus_client::registry::Registry;
use proptest::prelude::*;
use tempfile::TempDir;

use super::{system::trace, *};
use crate::{
    Metered,
    testing::{Faults, Faulty, conformance, content},
};

fn disk() -> (TempDir, Disk) {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(directory.path(), 8).unwrap();
    (directory, disk)
}

async fn write(disk: &Disk, upload: &UploadId, progress: Progress, chunks: &[&[u8]]) -> Progress {
    let mut writer = disk.writer(upload, progress).await.unwrap();
    for chunk in chunks {
        writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    writer.finish().await.unwrap()
}

async fn publish(disk: &Disk, bytes: &[u8]) -> (UploadId, Location) {
    let upload = UploadId::random();
    let progress = write(disk, &upload, Progress::start(Algorithm::Sha256), &[bytes]).await;
    (upload, disk.publish(&upload, &progress.hasher.finish()).await.unwrap())
}

fn path(directory: &TempDir, location: &Location) -> PathBuf {
    directory.path().join("blobs").join(location.as_str())
}

#[tokio::test]
async fn conforms() {
    let directory = tempfile::tempdir().unwrap();
    conformance(async || Disk::open(directory.path(), 8).unwrap()).await;
    // Without room for open files.
    conformance(async || Disk::open(directory.path(), 0).unwrap()).await;
}

#[tokio::test]
async fn conforms_when_decorated() {
    let directory = tempfile::tempdir().unwrap();
    conformance(async || {
        let disk: Arc<dyn Blobs> = Arc::new(Disk::open(directory.path(), 8).unwrap());
        let metered = Metered::new(disk, &mut Registry::default());
        Faulty::new(Arc::new(metered), Faults::default())
    })
    .await;
}

#[tokio::test]
async fn syncs_in_an_order_that_survives_a_power_loss() {
    let (directory, disk) = disk();
    let before = trace::calls(directory.path()).len();
    let (upload, location) = publish(&disk, b"bytes").await;
    disk.discard(&upload).await.unwrap();
    let fan_out = location.as_str().rsplit_once('/').unwrap().0;
    let again: Vec<_> = trace::calls(directory.path()).split_off(before);
    assert_eq!(
        again,
        [
            format!("sync data uploads/{upload}"),
            "sync directory uploads".to_owned(),
            format!("create directory blobs/{fan_out}"),
            "sync directory blobs/sha256".to_owned(),
            format!("remove uploads/{upload}.to"),
            format!("link uploads/{upload}.to"),
            "sync directory uploads".to_owned(),
            format!("rename blobs/{location}"),
            format!("sync directory blobs/{fan_out}"),
            format!("remove uploads/{upload}"),
            format!("remove uploads/{upload}.to"),
        ]
    );
}

#[tokio::test]
async fn a_truncated_file_ends_one_read_with_an_error() {
    let (directory, disk) = disk();
    let (_, location) = publish(&disk, &vec![7; 600_000]).await;
    let reader = disk.open(&location).await.unwrap();
    let file = fs::OpenOptions::new().write(true).open(path(&directory, &location)).unwrap();
    file.set_len(100_000).unwrap();
    assert_eq!(reader.read(0, 100_000).await.unwrap().len(), 100_000);
    let read = reader.read(0, 200_000).await;
    assert!(matches!(read, Err(Error::Truncated { stored: 100_000, expected: 600_000 })), "{read:?}");
    let read = reader.try_read(500_000, 10);
    assert!(matches!(read, Some(Err(Error::Truncated { .. }))), "{read:?}");
}

#[tokio::test]
async fn cached_files_do_not_outlive_their_blobs() {
    let (directory, disk) = disk();
    let (_, location) = publish(&disk, b"bytes").await;
    let first = disk.open(&location).await.unwrap();
    assert!(Arc::ptr_eq(&first, &disk.open(&location).await.unwrap()), "the file stays open");
    fs::OpenOptions::new().write(true).open(path(&directory, &location)).unwrap().set_len(7).unwrap();
    assert_eq!(disk.open(&location).await.unwrap().size(), 7, "a file that changed is opened anew");
    fs::remove_file(path(&directory, &location)).unwrap();
    assert!(matches!(disk.open(&location).await, Err(Error::NotFound)));
    assert_eq!(first.read(0, 5).await.unwrap(), "bytes", "an open reader keeps its file");
}

#[tokio::test]
async fn bytes_held_by_a_backup_are_not_freed() {
    let (directory, disk) = disk();
    let (_, location) = publish(&disk, b"bytes").await;
    fs::hard_link(path(&directory, &location), directory.path().join("backup")).unwrap();
    assert_eq!(disk.delete(&location).await.unwrap(), Some(0));
}

#[tokio::test]
async fn deletions_are_durable_once_synced() {
    let (directory, disk) = disk();
    let (_, first) = publish(&disk, b"bytes").await;
    let (_, second) = publish(&disk, b"bytes").await;
    let before = trace::calls(directory.path()).len();
    for location in [&first, &second] {
        disk.delete(location).await.unwrap();
    }
    let nowhere = Location::from(first.as_str().replace("sha256/27", "sha256/28").replace("/2770", "/2870"));
    disk.sync_deletions(&[first.clone(), second.clone(), nowhere]).await.unwrap();
    let fan_out = first.as_str().rsplit_once('/').unwrap().0;
    assert_eq!(
        trace::calls(directory.path()).split_off(before),
        [
            format!("remove blobs/{first}"),
            format!("remove blobs/{second}"),
            format!("sync directory blobs/{fan_out}"),
            "sync directory blobs/sha256/28".to_owned(),
        ]
    );
}

#[tokio::test]
async fn one_writer_at_a_time() {
    let (_directory, disk) = disk();
    let upload = UploadId::random();
    let start = Progress::start(Algorithm::Sha256);
    let first = disk.writer(&upload, start.clone()).await.unwrap();
    assert!(Sink::open(&disk.0.layout, &upload, start.clone()).unwrap().is_none());
    let end = async {
        tokio::time::sleep(LOCK_POLL * 3).await;
        drop(first);
    };
    let (second, ()) = tokio::join!(disk.writer(&upload, start), end);
    second.unwrap();
}

/// Every state that a crash inside `publish` can leave is found, and repaired either way.
#[tokio::test]
async fn interrupted_publications_are_repaired() {
    for (moved, back) in [(false, false), (false, true), (true, false), (true, true)] {
        let (directory, disk) = disk();
        let upload = UploadId::random();
        let progress = write(&disk, &upload, Progress::start(Algorithm::Sha256), &[b"bytes"]).await;
        let location = disk.publish(&upload, &progress.clone().hasher.finish()).await.unwrap();
        if !moved {
            fs::rename(path(&directory, &location), directory.path().join(format!("uploads/{upload}")))
                .unwrap();
        }
        let disk = Disk::open(directory.path(), 8).unwrap();
        let found = disk.leftovers().await.unwrap();
        assert_eq!(found, [Leftover { upload, location: Some(location.clone()) }]);
        if back {
            drop(disk.writer(&upload, progress).await.unwrap());
            assert_eq!(disk.leftovers().await.unwrap(), [Leftover { upload, location: None }]);
        } else {
            assert_eq!(disk.delete(&location).await.unwrap(), moved.then_some(5));
        }
        disk.discard(&upload).await.unwrap();
        assert!(disk.leftovers().await.unwrap().is_empty());
        assert!(disk.scan(None, 10).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn unknown_files_are_left_alone() {
    let (directory, disk) = disk();
    fs::write(directory.path().join("uploads/README"), "").unwrap();
    fs::write(directory.path().join("blobs/sha256/README"), "").unwrap();
    let (upload, location) = publish(&disk, b"bytes").await;
    fs::write(path(&directory, &location).with_file_name("README"), "").unwrap();
    disk.discard(&upload).await.unwrap();
    assert_eq!(disk.leftovers().await.unwrap(), []);
    assert_eq!(disk.scan(None, 10).await.unwrap(), [(location, 5)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// However an upload is cut into chunks and requests, and wherever it falls back to, the result is the same.
    #[test]
    fn resumes_at_any_offset(steps in proptest::collection::vec((1..200_000_usize, 1..60_000_usize, any::<bool>()), 1..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (directory, disk) = disk();
            let upload = UploadId::random();
            let bytes = content(&upload, 1_200_000);
            let mut acknowledged = Progress::start(Algorithm::Sha256);
            for (len, chunk, keep) in steps {
                let from = usize::try_from(acknowledged.offset).unwrap();
                let chunks: Vec<_> = bytes[from..from + len].chunks(chunk).collect();
                let progress = write(&disk, &upload, acknowledged.clone(), &chunks).await;
                let expected = Digest::of(Algorithm::Sha256, &bytes[..from + len]);
                prop_assert_eq!(progress.clone().hasher.finish(), expected);
                if keep {
                    acknowledged = progress;
                }
            }
            let progress = write(&disk, &upload, acknowledged, &[]).await;
            let file = fs::read(directory.path().join(format!("uploads/{upload}"))).unwrap();
            prop_assert_eq!(file.len() as u64, progress.offset);
            prop_assert!(file == bytes[..file.len()]);
            Ok(())
        })?;
    }

    /// A model of uploads and blobs agrees with the store after any sequence of calls and restarts.
    #[test]
    fn sequences_match_a_model(steps in proptest::collection::vec((0..6_u8, 0..3_usize), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (directory, mut disk) = disk();
            let uploads = [(); 3].map(|()| UploadId::random());
            let mut model: [Model; 3] = Default::default();
            for (step, which) in steps {
                let (upload, state) = (&uploads[which], &mut model[which]);
                let digest = Digest::of(Algorithm::Sha256, b"bytes");
                match step {
                    0 if !state.marker => {
                        write(&disk, upload, Progress::start(Algorithm::Sha256), &[b"bytes"]).await;
                        state.bytes = true;
                    }
                    1 => {
                        let result = disk.publish(upload, &digest).await;
                        prop_assert_eq!(result.is_ok(), state.bytes || (state.marker && state.blob));
                        if let Ok(location) = result {
                            *state = Model { bytes: false, marker: true, blob: true, location: Some(location) };
                        }
                    }
                    2 => {
                        disk.discard(upload).await.unwrap();
                        (state.bytes, state.marker) = (false, false);
                    }
                    3 => if let Some(location) = &state.location {
                        let freed = disk.delete(location).await.unwrap();
                        prop_assert_eq!(freed, state.blob.then_some(5));
                        state.blob = false;
                    },
                    4 => disk = Disk::open(directory.path(), 8).unwrap(),
                    _ => {}
                }
                check(&disk, &uploads, &model).await?;
            }
            Ok(())
        })?;
    }
}

#[derive(Debug, Default)]
struct Model {
    bytes: bool,
    marker: bool,
    blob: bool,
    location: Option<Location>,
}

async fn check(disk: &Disk, uploads: &[UploadId], model: &[Model]) -> Result<(), TestCaseError> {
    let mut leftovers = Vec::new();
    let mut blobs = Vec::new();
    for (upload, state) in uploads.iter().zip(model) {
        if state.bytes || state.marker {
            let location = state.location.clone().filter(|_| state.marker);
            leftovers.push(Leftover { upload: *upload, location });
        }
        if state.blob {
            blobs.extend(state.location.clone().map(|location| (location, 5)));
        }
    }
    leftovers.sort_by_key(|leftover| leftover.upload);
    blobs.sort();
    prop_assert_eq!(disk.leftovers().await.unwrap(), leftovers);
    prop_assert_eq!(disk.scan(None, 10).await.unwrap(), blobs);
    Ok(())
}

#[test]
fn a_new_store_is_durable() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("data/store");
    Disk::open(&root, 8).unwrap();
    let calls = trace::calls(directory.path());
    for parent in ["", "data", "data/store", "data/store/blobs"] {
        let synced = calls.iter().rposition(|call| *call == format!("sync directory {parent}"));
        let made = calls.iter().rposition(|call| {
            call.strip_prefix("create directory ")
                .and_then(|path| path.rsplit_once('/').or(Some(("", path))))
                .is_some_and(|(of, _)| of == parent)
        });
        assert!(synced > made && made.is_some(), "{parent:?} in {calls:?}");
    }
    assert_eq!(fs::metadata(root.join("uploads")).unwrap().nlink(), 2);
}
