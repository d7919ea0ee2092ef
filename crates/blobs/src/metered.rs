//! Counts what a store does.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use berth_oci::Digest;
use bytes::Bytes;
use jiff::Timestamp;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::{BlobReader, BlobWriter, Blobs, Capacity, Leftover, Location, Progress, Result, UploadId};

/// Upper bounds of the duration histograms: from a cached open file to a sync on a busy disk.
const BUCKETS_SECONDS: [f64; 10] = [0.000_1, 0.000_5, 0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0];

type Label = [(&'static str, &'static str); 1];

/// Wraps a store and counts bytes, durations and errors:
///
/// - `blobs_operation_seconds{operation}`: how long operations took, failed ones too
/// - `blobs_errors_total{operation}`: those that failed
/// - `blobs_written_bytes_total`, `blobs_read_bytes_total{source}`: bytes taken for uploads, and bytes read from memory
///   (the page `cache`, what a bucket has sent already) or, with a wait, from the `disk` or the network behind it
#[derive(Debug)]
pub struct Metered {
    inner: Arc<dyn Blobs>,
    metrics: Arc<Metrics>,
}

impl Metered {
    /// Wraps a store and registers its metrics.
    pub fn new(inner: Arc<dyn Blobs>, registry: &mut Registry) -> Self {
        Self { inner, metrics: Arc::new(Metrics::new(registry)) }
    }
}

/// Holds every series resolved, so that counting looks nothing up.
#[derive(Debug)]
struct Metrics {
    writer: Operation,
    finish: Operation,
    seal: Operation,
    publish: Operation,
    discard: Operation,
    open: Operation,
    size: Operation,
    read: Operation,
    delete: Operation,
    sync_deletions: Operation,
    leftovers: Operation,
    leftover: Operation,
    link: Operation,
    scan: Operation,
    scan_uploads: Operation,
    sweep: Operation,
    capacity: Operation,
    write_errors: Counter,
    written_bytes: Counter,
    cache_bytes: Counter,
    disk_bytes: Counter,
}

impl Metrics {
    fn new(registry: &mut Registry) -> Self {
        let seconds: Family<Label, Histogram> =
            Family::new_with_constructor(|| Histogram::new(BUCKETS_SECONDS));
        let errors: Family<Label, Counter> = Family::default();
        let read: Family<Label, Counter> = Family::default();
        let written_bytes = Counter::default();
        let operation = |name| {
            let label = [("operation", name)];
            Operation {
                seconds: seconds.get_or_create_owned(&label),
                errors: errors.get_or_create_owned(&label),
            }
        };
        let metrics = Self {
            writer: operation("writer"),
            finish: operation("finish"),
            seal: operation("seal"),
            publish: operation("publish"),
            discard: operation("discard"),
            open: operation("open"),
            size: operation("size"),
            read: operation("read"),
            delete: operation("delete"),
            sync_deletions: operation("sync_deletions"),
            leftovers: operation("leftovers"),
            leftover: operation("leftover"),
            link: operation("link"),
            scan: operation("scan"),
            scan_uploads: operation("scan_uploads"),
            sweep: operation("sweep"),
            capacity: operation("capacity"),
            write_errors: errors.get_or_create_owned(&[("operation", "write")]),
            written_bytes: written_bytes.clone(),
            cache_bytes: read.get_or_create_owned(&[("source", "cache")]),
            disk_bytes: read.get_or_create_owned(&[("source", "disk")]),
        };
        registry.register_with_unit(
            "blobs_operation",
            "Durations of the blob store's operations",
            Unit::Seconds,
            seconds,
        );
        registry.register("blobs_errors", "Operations of the blob store that failed", errors);
        registry.register_with_unit("blobs_written", "Bytes taken for uploads", Unit::Bytes, written_bytes);
        registry.register_with_unit("blobs_read", "Bytes read from blobs", Unit::Bytes, read);
        metrics
    }
}

#[derive(Debug)]
struct Operation {
    seconds: Histogram,
    errors: Counter,
}

impl Operation {
    async fn measure<T>(&self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let start = Instant::now();
        let result = work.await;
        self.seconds.observe(start.elapsed().as_secs_f64());
        self.count(&result);
        result
    }

    fn count<T>(&self, result: &Result<T>) {
        if result.is_err() {
            self.errors.inc();
        }
    }
}

#[async_trait]
impl Blobs for Metered {
    async fn writer(&self, upload: &UploadId, progress: Progress) -> Result<Box<dyn BlobWriter>> {
        let inner = self.metrics.writer.measure(self.inner.writer(upload, progress)).await?;
        Ok(Box::new(MeteredWriter { inner, metrics: Arc::clone(&self.metrics) }))
    }

    async fn publish(&self, upload: &UploadId, digest: &Digest) -> Result<Location> {
        self.metrics.publish.measure(self.inner.publish(upload, digest)).await
    }

    async fn adopt(&self, upload: &UploadId, file: &Path) -> Result<bool> {
        self.inner.adopt(upload, file).await
    }

    async fn discard(&self, upload: &UploadId) -> Result<()> {
        self.metrics.discard.measure(self.inner.discard(upload)).await
    }

    async fn open(&self, location: &Location) -> Result<Arc<dyn BlobReader>> {
        let inner = self.metrics.open.measure(self.inner.open(location)).await?;
        Ok(Arc::new(MeteredReader { inner, metrics: Arc::clone(&self.metrics) }))
    }

    async fn size(&self, location: &Location) -> Result<u64> {
        self.metrics.size.measure(self.inner.size(location)).await
    }

    async fn delete(&self, location: &Location) -> Result<Option<u64>> {
        self.metrics.delete.measure(self.inner.delete(location)).await
    }

    async fn sync_deletions(&self, locations: &[Location]) -> Result<()> {
        self.metrics.sync_deletions.measure(self.inner.sync_deletions(locations)).await
    }

    async fn leftovers(&self) -> Result<Vec<Leftover>> {
        self.metrics.leftovers.measure(self.inner.leftovers()).await
    }

    fn lists_leftovers(&self) -> bool {
        self.inner.lists_leftovers()
    }

    async fn leftover(&self, upload: &UploadId) -> Result<Option<Leftover>> {
        self.metrics.leftover.measure(self.inner.leftover(upload)).await
    }

    fn upload_of(&self, location: &Location) -> Option<UploadId> {
        self.inner.upload_of(location)
    }

    async fn link(&self, location: &Location, valid: Duration) -> Result<Option<String>> {
        self.metrics.link.measure(self.inner.link(location, valid)).await
    }

    async fn open_uncached(&self, location: &Location) -> Result<Arc<dyn BlobReader>> {
        let inner = self.metrics.open.measure(self.inner.open_uncached(location)).await?;
        Ok(Arc::new(MeteredReader { inner, metrics: Arc::clone(&self.metrics) }))
    }

    async fn scan(&self, after: Option<&Location>, limit: usize) -> Result<Vec<(Location, u64)>> {
        self.metrics.scan.measure(self.inner.scan(after, limit)).await
    }

    async fn scan_uploads(
        &self,
        after: Option<&UploadId>,
        limit: usize,
    ) -> Result<Vec<(UploadId, Timestamp)>> {
        self.metrics.scan_uploads.measure(self.inner.scan_uploads(after, limit)).await
    }

    async fn sweep(&self, upload: &UploadId) -> Result<()> {
        self.metrics.sweep.measure(self.inner.sweep(upload)).await
    }

    async fn capacity(&self) -> Result<Capacity> {
        self.metrics.capacity.measure(self.inner.capacity()).await
    }

    async fn check(&self) -> Result<()> {
        self.inner.check().await
    }
}

struct MeteredWriter {
    inner: Box<dyn BlobWriter>,
    metrics: Arc<Metrics>,
}

#[async_trait]
impl BlobWriter for MeteredWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.metrics.written_bytes.inc_by(chunk.len() as u64);
        self.inner.write(chunk).await.inspect_err(|_| {
            self.metrics.write_errors.inc();
        })
    }

    async fn finish(self: Box<Self>) -> Result<Progress> {
        self.metrics.finish.measure(self.inner.finish()).await
    }

    async fn seal(self: Box<Self>) -> Result<Progress> {
        self.metrics.seal.measure(self.inner.seal()).await
    }
}

#[derive(Debug)]
struct MeteredReader {
    inner: Arc<dyn BlobReader>,
    metrics: Arc<Metrics>,
}

#[async_trait]
impl BlobReader for MeteredReader {
    fn size(&self) -> u64 {
        self.inner.size()
    }

    fn try_read(&self, offset: u64, len: usize) -> Option<Result<Bytes>> {
        let result = self.inner.try_read(offset, len)?;
        self.metrics.cache_bytes.inc_by(result.as_ref().map_or(0, |bytes| bytes.len() as u64));
        self.metrics.read.count(&result);
        Some(result)
    }

    async fn read(&self, offset: u64, len: usize) -> Result<Bytes> {
        let result = self.metrics.read.measure(self.inner.read(offset, len)).await;
        self.metrics.disk_bytes.inc_by(result.as_ref().map_or(0, |bytes| bytes.len() as u64));
        result
    }

    async fn read_some(&self, offset: u64, len: usize) -> Result<Bytes> {
        let result = self.metrics.read.measure(self.inner.read_some(offset, len)).await;
        self.metrics.disk_bytes.inc_by(result.as_ref().map_or(0, |bytes| bytes.len() as u64));
        result
    }
}

#[cfg(test)]
mod tests {
    use berth_oci::Algorithm;
    use prometheus_client::encoding::text::encode;

    use super::*;
    use crate::{
        Disk,
        testing::{Failure, Faults, Faulty, Operation},
    };

    #[tokio::test]
    async fn counts_bytes_durations_and_errors() {
        let directory = tempfile::tempdir().unwrap();
        let faults = Faults::default();
        let disk = Arc::new(Disk::open(directory.path(), 1).unwrap());
        let mut registry = Registry::default();
        let store = Metered::new(Arc::new(Faulty::new(disk, faults.clone())), &mut registry);

        let upload = UploadId::random();
        let mut writer = store.writer(&upload, Progress::start(Algorithm::Sha256)).await.unwrap();
        writer.write(Bytes::from_static(b"12345")).await.unwrap();
        let digest = writer.finish().await.unwrap().hasher.finish();
        let location = store.publish(&upload, &digest).await.unwrap();
        let reader = store.open(&location).await.unwrap();
        reader.read(1, 3).await.unwrap();
        faults.fail(Operation::Delete, Failure::Broken);
        store.delete(&location).await.unwrap_err();

        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "blobs_written_bytes_total 5",
            r#"blobs_read_bytes_total{source="disk"} 3"#,
            r#"blobs_read_bytes_total{source="cache"} 0"#,
            r#"blobs_errors_total{operation="delete"} 1"#,
            r#"blobs_errors_total{operation="open"} 0"#,
            r#"blobs_operation_seconds_count{operation="publish"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing from\n{text}");
        }
    }
}
