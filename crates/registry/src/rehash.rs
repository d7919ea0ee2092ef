//! Hashes bytes again where they lie: for a pull that is to be verified, for the scrub, for a digest of another algorithm.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use berth_blobs::{BlobReader, BlobWriter, Error, Hasher};
use berth_jobs::Work;
use berth_oci::{Algorithm, Digest};
use bytes::Bytes;

use crate::pull::{BlobContent, BlobHandle};

/// Bytes read and hashed at a time.
const STEP_BYTES: usize = 1 << 20;
/// Time lost to a slow disk that may be made up for at full speed.
const CREDIT: Duration = Duration::from_secs(1);

/// What reading a blob again found.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Its bytes are right.
    Matches,
    /// Its bytes are wrong or missing, and why.
    Differs(&'static str),
    /// Nobody can tell now: the disk, the memory or a thread failed, which says nothing about the bytes.
    Unreadable(Error),
    /// It was asked to stop before the end.
    Stopped,
}

/// How fast bytes may be read, and whether to go on.
#[derive(Debug)]
pub(crate) struct Pace<'a> {
    work: Option<&'a Work>,
    bytes_per_second: u64,
    due: Instant,
}

impl<'a> Pace<'a> {
    /// As fast as it goes, to the end.
    pub(crate) fn free() -> Self {
        Self { work: None, bytes_per_second: 0, due: Instant::now() }
    }

    /// At most this many bytes per second (0: no limit), until the work should stop.
    pub(crate) fn of(work: &'a Work, bytes_per_second: u64) -> Self {
        Self { work: Some(work), bytes_per_second, due: Instant::now() }
    }

    /// Waits as long as these bytes must take, and tells whether to go on.
    #[expect(clippy::cast_precision_loss, reason = "a waiting time")]
    async fn spend(&mut self, bytes: usize) -> bool {
        let Some(work) = self.work else { return true };
        if self.bytes_per_second > 0 {
            let now = Instant::now();
            let earliest = now.checked_sub(CREDIT).unwrap_or(now);
            let time = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
            self.due = self.due.max(earliest) + time;
            work.pause(self.due.saturating_duration_since(now)).await;
        }
        !work.should_stop()
    }
}

/// Hashes a blob and compares.
pub(crate) async fn compare(handle: &BlobHandle, pace: &mut Pace<'_>) -> Verdict {
    let computed = match &handle.content {
        BlobContent::Inline(content) => {
            pace.spend(content.len()).await;
            Ok(Some(Digest::of(handle.digest.algorithm(), content)))
        }
        BlobContent::Stored(reader) => hash(reader.as_ref(), handle.digest.algorithm(), pace).await,
    };
    judge(computed, &handle.digest)
}

/// Copies a blob to an upload, which hashes it, seals that and compares.
pub(crate) async fn copy(
    reader: &dyn BlobReader,
    digest: &Digest,
    writer: Box<dyn BlobWriter>,
    pace: &mut Pace<'_>,
) -> Verdict {
    judge(copy_all(reader, writer, pace).await, digest)
}

fn judge(computed: berth_blobs::Result<Option<Digest>>, digest: &Digest) -> Verdict {
    match computed {
        Ok(Some(computed)) if computed == *digest => Verdict::Matches,
        Ok(Some(_)) => Verdict::Differs("its bytes do not match its digest"),
        Ok(None) => Verdict::Stopped,
        Err(Error::Truncated { .. }) => Verdict::Differs("its file ends early"),
        Err(error) => Verdict::Unreadable(error),
    }
}

async fn copy_all(
    reader: &dyn BlobReader,
    mut writer: Box<dyn BlobWriter>,
    pace: &mut Pace<'_>,
) -> berth_blobs::Result<Option<Digest>> {
    let mut offset = 0;
    while offset < reader.size() {
        let bytes = read_step(reader, offset).await?;
        let count = bytes.len();
        writer.write(bytes).await?;
        offset += count as u64;
        if !pace.spend(count).await && offset < reader.size() {
            return Ok(None);
        }
    }
    Ok(Some(writer.seal().await?.hasher.finish()))
}

async fn read_step(reader: &dyn BlobReader, offset: u64) -> berth_blobs::Result<Bytes> {
    let bytes = reader.read(offset, STEP_BYTES).await?;
    if bytes.is_empty() {
        return Err(Error::Truncated { stored: offset, expected: reader.size() });
    }
    Ok(bytes)
}

/// Hashes a stored blob from start to end.
pub(crate) async fn hash_stored(
    reader: &dyn BlobReader,
    algorithm: Algorithm,
) -> berth_blobs::Result<Digest> {
    let digest = hash(reader, algorithm, &mut Pace::free()).await?;
    digest.ok_or_else(|| Error::Io(ErrorKind::Interrupted.into(), "cannot hash a blob to its end".into()))
}

/// Hashes a stored blob; `None` if it was stopped before the end.
async fn hash(
    reader: &dyn BlobReader,
    algorithm: Algorithm,
    pace: &mut Pace<'_>,
) -> berth_blobs::Result<Option<Digest>> {
    let mut hasher = Hasher::new(algorithm);
    let mut offset = 0;
    while offset < reader.size() {
        let bytes = read_step(reader, offset).await?;
        let count = bytes.len();
        hasher = tokio::task::spawn_blocking(move || {
            hasher.update(&bytes);
            hasher
        })
        .await
        .map_err(|error| Error::Io(std::io::Error::other(error), "cannot hash a blob".into()))?;
        offset += count as u64;
        // Who has read to the end knows, whether to stop or not.
        if !pace.spend(count).await && offset < reader.size() {
            return Ok(None);
        }
    }
    Ok(Some(hasher.finish()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;

    use super::*;

    /// A blob of zeros that loses its end behind the registry's back.
    #[derive(Debug)]
    struct Zeros {
        size: u64,
        stored: u64,
    }

    #[async_trait]
    impl BlobReader for Zeros {
        fn size(&self) -> u64 {
            self.size
        }

        fn try_read(&self, _offset: u64, _len: usize) -> Option<berth_blobs::Result<Bytes>> {
            None
        }

        async fn read(&self, offset: u64, len: usize) -> berth_blobs::Result<Bytes> {
            let len = usize::try_from(self.stored.saturating_sub(offset)).unwrap().min(len);
            Ok(Bytes::from(vec![0; len]))
        }
    }

    fn zeros(size: u64, stored: u64) -> BlobHandle {
        let digest = Digest::of(Algorithm::Sha256, &vec![0; usize::try_from(size).unwrap()]);
        BlobHandle { digest, size, content: BlobContent::Stored(Arc::new(Zeros { size, stored })) }
    }

    #[tokio::test]
    async fn a_blob_is_read_at_the_rate() {
        let (work, _seen) = Work::detached();
        let started = Instant::now();
        let verdict = compare(&zeros(3 << 20, 3 << 20), &mut Pace::of(&work, 10 << 20)).await;
        assert!(matches!(verdict, Verdict::Matches), "{verdict:?}");
        assert!(started.elapsed() >= Duration::from_millis(290), "{:?}", started.elapsed());
    }

    #[tokio::test]
    async fn a_reader_that_returns_nothing_does_not_hold_it_for_ever() {
        let verdict = compare(&zeros(100, 7), &mut Pace::free()).await;
        assert!(matches!(verdict, Verdict::Differs(_)), "{verdict:?}");
    }
}
