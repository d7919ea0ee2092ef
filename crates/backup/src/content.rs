//! Bytes of blobs on their way into a backup, out of it, or past a hash.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use berth_blobs::{BlobReader, Blobs, Hasher, Location, Progress, UploadId};
use berth_oci::Digest;

use crate::archive::{Archive, sync};
use crate::error::{At as _, Error, Result};

/// Bytes read and hashed at a time.
const STEP_BYTES: usize = 1 << 20;

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

/// Copies a blob from the store into the archive: its name there is durable once its directory, which is returned, is synced.
pub(crate) async fn bring(
    archive: &Archive,
    blobs: &dyn Blobs,
    location: &Location,
    digest: &Digest,
    size: u64,
) -> Result<Kept<Option<PathBuf>>> {
    let reader = match blobs.open_uncached(location).await {
        Err(berth_blobs::Error::NotFound) => return Ok(Kept::Damaged("its bytes are gone".into())),
        opened => opened?,
    };
    if reader.size() != size {
        return Ok(Kept::Damaged(format!("{} bytes lie where {size} should", reader.size())));
    }
    let unfinished = archive.unfinished().join(uuid::Uuid::new_v4().simple().to_string());
    let (path, digest) = (archive.blob(digest), *digest);
    match copy(reader.as_ref(), &unfinished, &digest).await {
        Ok(Kept::Whole(())) => {
            blocking(move || place(&unfinished, &path)).await.map(|directory| Kept::Whole(Some(directory)))
        }
        other => {
            // What is left in `unfinished` is nobody's; the next prune removes what this can't.
            let _ = fs::remove_file(&unfinished);
            other.map(|kept| match kept {
                Kept::Damaged(reason) => Kept::Damaged(reason),
                Kept::Whole(()) => Kept::Whole(None),
            })
        }
    }
}

async fn copy(reader: &dyn BlobReader, path: &Path, digest: &Digest) -> Result<Kept<()>> {
    let mut file = File::create_new(path).at("make", path)?;
    let (mut hasher, mut offset) = (Hasher::new(digest.algorithm()), 0);
    while offset < reader.size() {
        let bytes = match reader.read(offset, STEP_BYTES).await {
            Err(berth_blobs::Error::Truncated { .. }) => {
                return Ok(Kept::Damaged("its file ends early".into()));
            }
            read => read?,
        };
        if bytes.is_empty() {
            return Ok(Kept::Damaged("its file ends early".into()));
        }
        offset += bytes.len() as u64;
        let name = path.to_owned();
        (file, hasher) = blocking(move || {
            file.write_all(&bytes).at("write", &name)?;
            hasher.update(&bytes);
            Ok((file, hasher))
        })
        .await?;
    }
    if hasher.finish() != *digest {
        return Ok(Kept::Damaged("its bytes do not match its digest".into()));
    }
    let name = path.to_owned();
    blocking(move || file.sync_all().at("sync", &name)).await?;
    Ok(Kept::Whole(()))
}

/// Gives a copied blob its name. Directories made on the way are durable when this returns.
fn place(unfinished: &Path, path: &Path) -> Result<PathBuf> {
    let directory = path.parent().unwrap_or(path).to_owned();
    if !directory.is_dir() {
        fs::create_dir_all(&directory).at("make", &directory)?;
        for above in directory.ancestors().skip(1).take(2) {
            sync(above)?;
        }
    }
    fs::rename(unfinished, path).at("make", path)?;
    Ok(directory)
}

/// Copies a blob from the archive into a store and publishes it. The upload that brought it must be discarded once its location is
/// committed.
pub(crate) async fn send(
    archive: &Archive,
    blobs: &dyn Blobs,
    digest: &Digest,
    size: u64,
) -> Result<Kept<(UploadId, Location)>> {
    let path = archive.blob(digest);
    let mut file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Kept::Damaged("the backup lacks its bytes".into()));
        }
        opened => opened.at("open", &path)?,
    };
    let upload = UploadId::random();
    let mut writer = blobs.writer(&upload, Progress::start(digest.algorithm())).await?;
    loop {
        let name = path.clone();
        let (back, bytes) = blocking(move || {
            let mut bytes = Vec::with_capacity(STEP_BYTES);
            (&mut file).take(STEP_BYTES as u64).read_to_end(&mut bytes).at("read", &name)?;
            Ok((file, bytes))
        })
        .await?;
        file = back;
        if bytes.is_empty() {
            break;
        }
        writer.write(bytes.into()).await?;
    }
    let progress = writer.seal().await?;
    let reason = match progress.offset {
        offset if offset != size => format!("the backup has {offset} of its {size} bytes"),
        _ if progress.hasher.finish() != *digest => "its bytes in the backup do not match its digest".into(),
        _ => {
            let location = blobs.publish(&upload, digest).await?;
            return Ok(Kept::Whole((upload, location)));
        }
    };
    blobs.discard(&upload).await?;
    Ok(Kept::Damaged(reason))
}

/// Hashes a blob in the archive again.
pub(crate) fn check(archive: &Archive, digest: &Digest, size: u64) -> Result<Kept<()>> {
    let path = archive.blob(digest);
    let mut file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Kept::Damaged("the backup lacks its bytes".into()));
        }
        opened => opened.at("open", &path)?,
    };
    let (mut hasher, mut total, mut buffer) = (Hasher::new(digest.algorithm()), 0, vec![0; STEP_BYTES]);
    loop {
        let read = file.read(&mut buffer).at("read", &path)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        total += read as u64;
    }
    Ok(match hasher.finish() {
        computed if computed == *digest && total == size => Kept::Whole(()),
        _ => Kept::Damaged("its bytes in the backup do not match its digest".into()),
    })
}
