//! Bytes of blobs on their way into a backup, out of it, or past a hash.

use std::io;

use berth_blobs::{BlobReader, Blobs, Hasher, Location, Progress, ShelfWriter, UploadId};
use berth_oci::Digest;
use bytes::Bytes;

use crate::archive::Archive;
use crate::error::{Error, Result};

/// Bytes read and hashed at a time.
const STEP_BYTES: usize = 1 << 20;
/// Places that one upload may have left.
const PLACES: usize = 8;

/// What became of a blob's bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kept<T> {
    /// They were right.
    Whole(T),
    /// They were not, and why.
    Damaged(String),
}

/// Runs something that blocks on a pool thread.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::Io(io::Error::other(error), "cannot go on".into())))
}

/// Copies a blob from the store into the archive, where it is there and durable when this returns.
pub(crate) async fn bring(
    archive: &Archive,
    blobs: &dyn Blobs,
    location: &Location,
    digest: &Digest,
    size: u64,
) -> Result<Kept<()>> {
    let reader = match blobs.open_uncached(location).await {
        Err(berth_blobs::Error::NotFound) => return Ok(Kept::Damaged("its bytes are gone".into())),
        opened => opened?,
    };
    if reader.size() != size {
        return Ok(Kept::Damaged(format!("{} bytes lie where {size} should", reader.size())));
    }
    let mut writer = archive.shelf().writer(&Archive::blob(digest), size).await?;
    match copy(reader.as_ref(), &mut writer, digest).await {
        Ok(Kept::Whole(())) => writer.finish().await.map(Kept::Whole).map_err(Error::from),
        other => {
            writer.discard().await;
            other
        }
    }
}

async fn copy(reader: &dyn BlobReader, writer: &mut ShelfWriter, digest: &Digest) -> Result<Kept<()>> {
    let (mut hasher, mut offset) = (Hasher::new(digest.algorithm()), 0);
    while offset < reader.size() {
        let Some(bytes) = next(reader, offset).await? else {
            return Ok(Kept::Damaged("its file ends early".into()));
        };
        offset += bytes.len() as u64;
        let (ahead, written) = tokio::join!(hash(hasher, bytes.clone()), writer.write(bytes));
        written?;
        hasher = ahead?;
    }
    Ok(if hasher.finish() == *digest {
        Kept::Whole(())
    } else {
        Kept::Damaged("its bytes do not match its digest".into())
    })
}

/// Reads the next bytes; `None` where there should be some and are none.
async fn next(reader: &dyn BlobReader, offset: u64) -> Result<Option<Bytes>> {
    match reader.read(offset, STEP_BYTES).await {
        Err(berth_blobs::Error::Truncated { .. }) => Ok(None),
        read => Ok(Some(read?).filter(|bytes| !bytes.is_empty())),
    }
}

async fn hash(mut hasher: Hasher, bytes: Bytes) -> Result<Hasher> {
    blocking(move || {
        hasher.update(&bytes);
        Ok(hasher)
    })
    .await
}

/// Copies a blob from the archive into a store and publishes it. The upload that brought it must be discarded once its location is
/// committed.
pub(crate) async fn send(
    archive: &Archive,
    blobs: &dyn Blobs,
    digest: &Digest,
    size: u64,
) -> Result<Kept<(UploadId, Location)>> {
    match archive.shelf().open(&Archive::blob(digest)).await {
        Err(berth_blobs::Error::NotFound) => Ok(Kept::Damaged("the backup lacks its bytes".into())),
        opened => publish(opened?.as_ref(), blobs, UploadId::random(), (digest, size)).await,
    }
}

/// Copies bytes into a store and publishes them if they are right; else nothing of them stays there.
pub(crate) async fn publish(
    reader: &dyn BlobReader,
    blobs: &dyn Blobs,
    upload: UploadId,
    (digest, size): (&Digest, u64),
) -> Result<Kept<(UploadId, Location)>> {
    match try_publish(reader, blobs, &upload, digest, size).await {
        Ok(Kept::Whole(location)) => Ok(Kept::Whole((upload, location))),
        Ok(Kept::Damaged(reason)) => {
            blobs.discard(&upload).await?;
            Ok(Kept::Damaged(reason))
        }
        Err(error) => {
            if let Err(left) = give_up(blobs, &upload).await {
                tracing::warn!(%upload, error = %left, "what was copied of a blob could not be removed, a scrub finds it");
            }
            Err(error)
        }
    }
}

async fn try_publish(
    reader: &dyn BlobReader,
    blobs: &dyn Blobs,
    upload: &UploadId,
    digest: &Digest,
    size: u64,
) -> Result<Kept<Location>> {
    let mut writer = blobs.writer(upload, Progress::start(digest.algorithm())).await?;
    let mut offset = 0;
    while offset < reader.size() {
        let Some(bytes) = next(reader, offset).await? else { break };
        offset += bytes.len() as u64;
        writer.write(bytes).await?;
    }
    let progress = writer.seal().await?;
    if progress.offset != size {
        return Ok(Kept::Damaged(format!("{} of its {size} bytes are there", progress.offset)));
    }
    if progress.hasher.finish() != *digest {
        return Ok(Kept::Damaged("its bytes do not match its digest".into()));
    }
    Ok(Kept::Whole(blobs.publish(upload, digest).await?))
}

/// Removes what an upload left whose end is not known: the answer to its last request may have been lost.
async fn give_up(blobs: &dyn Blobs, upload: &UploadId) -> Result<()> {
    for _ in 0..PLACES {
        let left = blobs.leftover(upload).await?;
        let Some(location) = left.and_then(|left| left.location) else { break };
        blobs.delete(&location).await?;
    }
    Ok(blobs.discard(upload).await?)
}

/// Hashes a blob in the archive again.
pub(crate) async fn check(archive: &Archive, digest: &Digest, size: u64) -> Result<Kept<()>> {
    let reader = match archive.shelf().open(&Archive::blob(digest)).await {
        Err(berth_blobs::Error::NotFound) => {
            return Ok(Kept::Damaged("the backup lacks its bytes".into()));
        }
        opened => opened?,
    };
    let (mut hasher, mut offset) = (Hasher::new(digest.algorithm()), 0);
    while offset < reader.size() {
        let Some(bytes) = next(reader.as_ref(), offset).await? else { break };
        offset += bytes.len() as u64;
        hasher = hash(hasher, bytes).await?;
    }
    Ok(if hasher.finish() == *digest && offset == size {
        Kept::Whole(())
    } else {
        Kept::Damaged("its bytes in the backup do not match its digest".into())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use berth_blobs::testing::{Failure, Fault, Faults, Faulty, Operation};
    use berth_blobs::{Disk, Shelf};
    use berth_oci::Algorithm;

    use super::*;

    /// Whatever fails on the way, and also when only the answer to a publication is lost, the store holds nothing of the blob.
    #[tokio::test]
    async fn a_blob_that_could_not_be_published_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::directory(&dir.path().join("backup"));
        let content = Bytes::from(vec![7; 100_000]);
        let digest = Digest::of(Algorithm::Sha256, &content);
        shelf.put("blob", content).await.unwrap();
        let reader = shelf.open("blob").await.unwrap();
        let disk = Disk::open(&dir.path().join("store"), Disk::OPEN_FILES).unwrap();
        for fault in [
            Fault::new(Operation::Write, Failure::Full),
            Fault::new(Operation::Finish, Failure::Broken),
            Fault::new(Operation::Publish, Failure::Unavailable),
            Fault::new(Operation::Publish, Failure::Unavailable).late(),
        ] {
            let faults = Faults::default();
            faults.plan(fault);
            let store = Faulty::new(Arc::new(disk.clone()), faults);
            assert!(
                publish(reader.as_ref(), &store, UploadId::random(), (&digest, 100_000)).await.is_err(),
                "{fault:?}"
            );
            assert_eq!(disk.leftovers().await.unwrap(), [], "{fault:?}");
            assert_eq!(disk.scan(None, 10).await.unwrap(), [], "{fault:?}");
        }
        let other = Digest::of(Algorithm::Sha256, b"other");
        let kept = publish(reader.as_ref(), &disk, UploadId::random(), (&other, 100_000)).await.unwrap();
        assert!(matches!(kept, Kept::Damaged(_)));
        assert_eq!(disk.leftovers().await.unwrap(), []);
        let kept = publish(reader.as_ref(), &disk, UploadId::random(), (&digest, 100_000)).await.unwrap();
        assert!(matches!(kept, Kept::Whole(_)));
    }
}
