use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use parking_lot::Mutex;

use super::*;

/// A blob whose bytes are their positions, of which a part is in memory and a part may be gone.
#[derive(Debug)]
struct Pattern {
    size: u64,
    cached: u64,
    stored: u64,
    waits: AtomicUsize,
}

fn byte(at: u64) -> u8 {
    (at % 251) as u8
}

fn pattern(size: u64, cached: u64, stored: u64) -> Source {
    Source::Stored(Arc::new(Pattern { size, cached, stored, waits: AtomicUsize::new(0) }))
}

#[async_trait]
impl BlobReader for Pattern {
    fn size(&self) -> u64 {
        self.size
    }

    fn try_read(&self, offset: u64, len: usize) -> Option<Result<Bytes, berth_blobs::Error>> {
        let end = (offset + len as u64).min(self.cached);
        (offset < end).then(|| Ok((offset..end).map(byte).collect()))
    }

    async fn read(&self, offset: u64, len: usize) -> Result<Bytes, berth_blobs::Error> {
        self.waits.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        let end = (offset + len as u64).min(self.size);
        if end > self.stored {
            return Err(berth_blobs::Error::Truncated { stored: self.stored, expected: self.size });
        }
        Ok((offset..end).map(byte).collect())
    }
}

fn expected(range: std::ops::Range<u64>) -> Vec<u8> {
    range.map(byte).collect()
}

/// Notes how a body ended.
fn watched(body: Body) -> (Body, Arc<Mutex<Vec<Sent>>>) {
    let ends = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&ends);
    (body.on_end(move |sent| noted.lock().push(sent)), ends)
}

#[tokio::test]
async fn sends_ranges_from_memory_and_from_disk() {
    let size = 1_000_003;
    for cached in [0, 1, 500_000, size] {
        for range in [0..size, 0..1, 7..300_000, 499_999..500_001, size - 1..size, 5..5] {
            let body = Body::blob(pattern(size, cached, size), range.clone());
            assert_eq!(body.size_hint().exact(), Some(range.end - range.start));
            let (body, ends) = watched(body);
            assert_eq!(body.collect().await.unwrap().to_bytes(), expected(range.clone()));
            let bytes = range.end - range.start;
            assert_eq!(*ends.lock(), [Sent { bytes, end: End::Complete }]);
        }
    }
}

#[tokio::test]
async fn inline_blobs_are_sliced() {
    let source = Source::Inline(Bytes::from(expected(0..100)));
    let body = Body::blob(source.clone(), 10..20).collect().await.unwrap().to_bytes();
    assert_eq!(body, expected(10..20));
    assert!(Body::blob(source, 7..7).is_end_stream());
}

#[tokio::test]
async fn a_truncated_blob_ends_its_response_with_an_error() {
    let (mut body, ends) = watched(Body::blob(pattern(500_000, 100_000, 200_000), 0..500_000));
    let mut bytes = 0;
    let error = loop {
        match body.frame().await.unwrap() {
            Ok(frame) => bytes += frame.into_data().unwrap().len() as u64,
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("truncated"), "{error}");
    assert!(body.frame().await.is_none(), "nothing comes after an error");
    drop(body);
    let ends = ends.lock();
    assert_eq!(ends[0].bytes, bytes);
    assert!(matches!(&ends[0].end, End::Failed(cause) if cause.contains("truncated")), "{ends:?}");
}

#[tokio::test]
async fn several_ranges_are_parts() {
    let size = 300_000;
    for source in [pattern(size, 100, size), Source::Inline(Bytes::from(expected(0..size)))] {
        let body = Body::multipart(&source, size, &[0..3, 99_000..299_000], "SEPARATOR");
        let length = body.size_hint().exact().unwrap();
        let sent = body.collect().await.unwrap().to_bytes();
        assert_eq!(sent.len() as u64, length);
        let mut wanted = b"--SEPARATOR\r\nContent-Type: application/octet-stream\r\n\
            Content-Range: bytes 0-2/300000\r\n\r\n"
            .to_vec();
        wanted.extend(expected(0..3));
        wanted.extend(
            b"\r\n--SEPARATOR\r\nContent-Type: application/octet-stream\r\n\
            Content-Range: bytes 99000-298999/300000\r\n\r\n",
        );
        wanted.extend(expected(99_000..299_000));
        wanted.extend(b"\r\n--SEPARATOR--\r\n");
        assert!(sent == wanted, "parts differ");
    }
}

#[tokio::test]
async fn a_body_that_is_dropped_was_aborted() {
    let (body, ends) = watched(Body::full("hello"));
    drop(body);
    assert_eq!(*ends.lock(), [Sent { bytes: 0, end: End::Aborted }]);
    let (body, ends) = watched(Body::empty());
    drop(body);
    assert_eq!(*ends.lock(), [Sent { bytes: 0, end: End::Complete }]);
}

#[tokio::test]
async fn hooks_are_called_in_order() {
    let (body, ends) = watched(Body::full("hello"));
    let noted = Arc::clone(&ends);
    let body = body.on_end(move |_| assert_eq!(noted.lock().len(), 1));
    body.collect().await.unwrap();
    assert_eq!(ends.lock().len(), 1);
}
