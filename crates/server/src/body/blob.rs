//! One range of a blob, read piece by piece as the connection asks for it.

use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use berth_blobs::BlobReader;
use bytes::Bytes;

use super::BodyError;

/// Pieces begin here, so that a slow client never holds much memory.
const MIN_PIECE: usize = MAX_PIECE / 4;
/// Pieces grow to here for a client that keeps up.
const MAX_PIECE: usize = berth_blobs::READ_BYTES;
/// A client that took a piece faster than this keeps up. Many fast clients at once are each served this slowly.
const FAST: Duration = Duration::from_millis(20);
/// A client that took longer than this gets smaller pieces.
const SLOW: Duration = Duration::from_millis(100);

/// Where a blob's bytes are.
#[derive(Clone)]
pub(crate) enum Source {
    /// In memory.
    Inline(Bytes),
    /// In the store.
    Stored(Arc<dyn BlobReader>),
}

type Read = Pin<Box<dyn Future<Output = Result<Bytes, berth_blobs::Error>> + Send>>;

/// The rest of one range of a blob.
pub(super) struct BlobRange {
    reader: Arc<dyn BlobReader>,
    rest: Range<u64>,
    piece: usize,
    last: Option<Instant>,
    /// A read that waits for the disk.
    waiting: Option<Read>,
}

impl BlobRange {
    pub(super) fn new(reader: Arc<dyn BlobReader>, range: Range<u64>) -> Self {
        Self { reader, rest: range, piece: MIN_PIECE, last: None, waiting: None }
    }

    /// The next piece: from the page cache at once, else from a thread that may block.
    pub(super) fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let offset = self.rest.start;
        let read = if let Some(waiting) = &mut self.waiting {
            let read = ready!(waiting.as_mut().poll(cx));
            self.waiting = None;
            // Time spent on the disk says nothing about the client.
            self.last = Some(Instant::now());
            read
        } else {
            self.adapt();
            let length =
                usize::try_from(self.rest.end - offset).map_or(self.piece, |rest| rest.min(self.piece));
            if let Some(read) = self.reader.try_read(offset, length) {
                read
            } else {
                let reader = Arc::clone(&self.reader);
                self.waiting = Some(Box::pin(async move { reader.read_some(offset, length).await }));
                return self.poll_bytes(cx);
            }
        };
        Poll::Ready(Some(match read {
            Ok(bytes) if bytes.is_empty() => {
                Err(BodyError { offset, cause: "the blob ends before its recorded size".into() })
            }
            Ok(mut bytes) => {
                // Never more than was promised, whatever the store returns.
                bytes.truncate(usize::try_from(self.rest.end - offset).unwrap_or(usize::MAX));
                self.rest.start += bytes.len() as u64;
                Ok(bytes)
            }
            Err(error) => Err(BodyError { offset, cause: error.to_string() }),
        }))
    }

    /// Fits the piece to how fast the last one was taken.
    fn adapt(&mut self) {
        let now = Instant::now();
        if let Some(last) = self.last {
            let taken = now.duration_since(last);
            if taken < FAST {
                self.piece = (self.piece * 2).min(MAX_PIECE);
            } else if taken > SLOW {
                self.piece = (self.piece / 2).max(MIN_PIECE);
            }
        }
        self.last = Some(now);
    }
}

/// The part of `bytes` that `range` names, as far as it exists.
pub(super) fn slice(bytes: &Bytes, range: &Range<u64>) -> Bytes {
    let clamp = |at: u64| usize::try_from(at).map_or(bytes.len(), |at| at.min(bytes.len()));
    let (start, end) = (clamp(range.start), clamp(range.end));
    bytes.slice(start..end.max(start))
}
