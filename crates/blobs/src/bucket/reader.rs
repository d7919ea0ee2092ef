//! Reads blobs as a stream of windows: each is one ranged request, so a reader that stops early wastes little.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt as _, StreamExt as _, stream::BoxStream};
use object_store::{GetOptions, ObjectStore as _, path::Path};
use parking_lot::Mutex;

use super::{Inner, error::map};
use crate::{BlobReader, Error, Result};

/// Bytes of the first window: most blobs, and the start of large ones.
const FIRST_WINDOW: u64 = 1 << 20;
/// Windows grow to this, so that the time to the first byte of each hardly counts.
const LARGEST_WINDOW: u64 = 64 << 20;
/// Positions at which streams are kept open.
const CURSORS: usize = 4;
const DOING: &str = "read a blob";

/// Reads one blob.
pub(super) struct BucketReader {
    inner: Arc<Inner>,
    key: Path,
    size: u64,
    cursors: Mutex<Vec<Cursor>>,
}

impl std::fmt::Debug for BucketReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BucketReader")
            .field("key", &self.key)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// Is a stream at a position.
struct Cursor {
    position: u64,
    /// Bytes that came and were not asked for yet.
    ready: Bytes,
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    /// Where the stream ends.
    end: u64,
    /// Bytes of the window after it.
    next_window: u64,
}

impl BucketReader {
    /// Asks for the first window, which says how large the blob is.
    pub(super) async fn open(inner: &Arc<Inner>, key: Path) -> Result<Self> {
        let reader =
            |size| Self { inner: Arc::clone(inner), key: key.clone(), size, cursors: Mutex::default() };
        let options = GetOptions::new().with_range(Some(0..FIRST_WINDOW));
        match inner.store.get_opts(&key, options).await {
            Ok(object) => {
                let (size, end) = (object.meta.size, object.range.end);
                let stream = object.into_stream();
                let cursor =
                    Cursor { position: 0, ready: Bytes::new(), stream, end, next_window: FIRST_WINDOW * 4 };
                let reader = reader(size);
                reader.put_back(cursor);
                Ok(reader)
            }
            Err(error) => match map(error, DOING) {
                // An empty blob has no range to ask for.
                Error::Io(..) if inner.size(&key).await? == Some(0) => Ok(reader(0)),
                error => Err(error),
            },
        }
    }

    /// Cuts a requested length at the blob's end.
    fn len(&self, offset: u64, len: usize) -> usize {
        usize::try_from(self.size.saturating_sub(offset)).map_or(len, |left| left.min(len))
    }

    /// Takes the stream that is at an offset.
    fn take(&self, offset: u64) -> Option<Cursor> {
        let mut cursors = self.cursors.lock();
        let index = cursors.iter().position(|cursor| cursor.position == offset)?;
        Some(cursors.swap_remove(index))
    }

    /// Keeps a stream for whoever reads on.
    fn put_back(&self, cursor: Cursor) {
        if cursor.position >= self.size {
            return;
        }
        let mut cursors = self.cursors.lock();
        if cursors.len() == CURSORS {
            cursors.remove(0);
        }
        cursors.push(cursor);
    }

    /// Asks for the window at a position.
    async fn window(&self, position: u64, bytes: u64) -> Result<Cursor> {
        let end = position.saturating_add(bytes).min(self.size);
        let options = GetOptions::new().with_range(Some(position..end));
        let object =
            self.inner.store.get_opts(&self.key, options).await.map_err(|error| map(error, DOING))?;
        let next_window = (bytes * 4).min(LARGEST_WINDOW);
        Ok(Cursor { position, ready: Bytes::new(), stream: object.into_stream(), end, next_window })
    }

    /// Makes bytes ready, from the next window where this one ends.
    async fn fill(&self, cursor: &mut Cursor) -> Result<()> {
        while cursor.ready.is_empty() {
            if cursor.position >= cursor.end {
                *cursor = self.window(cursor.position, cursor.next_window).await?;
            }
            match cursor.stream.next().await {
                Some(chunk) => cursor.ready = chunk.map_err(|error| map(error, DOING))?,
                None => return Err(Error::Truncated { stored: cursor.position, expected: self.size }),
            }
        }
        Ok(())
    }
}

impl Cursor {
    /// Takes up to `len` of the bytes that are ready.
    fn advance(&mut self, len: usize) -> Bytes {
        let bytes = self.ready.split_to(self.ready.len().min(len));
        self.position += bytes.len() as u64;
        bytes
    }
}

#[async_trait]
impl BlobReader for BucketReader {
    fn size(&self) -> u64 {
        self.size
    }

    fn try_read(&self, offset: u64, len: usize) -> Option<Result<Bytes>> {
        let len = self.len(offset, len);
        if len == 0 {
            return Some(Ok(Bytes::new()));
        }
        let mut cursor = self.take(offset)?;
        if cursor.ready.is_empty()
            && cursor.position < cursor.end
            && let Some(chunk) = cursor.stream.next().now_or_never()
        {
            match chunk {
                Some(Ok(chunk)) => cursor.ready = chunk,
                Some(Err(error)) => return Some(Err(map(error, DOING))),
                None => return Some(Err(Error::Truncated { stored: offset, expected: self.size })),
            }
        }
        let bytes = cursor.advance(len);
        self.put_back(cursor);
        (!bytes.is_empty()).then_some(Ok(bytes))
    }

    async fn read(&self, offset: u64, len: usize) -> Result<Bytes> {
        let len = self.len(offset, len);
        if len == 0 {
            return Ok(Bytes::new());
        }
        let mut cursor = match self.take(offset) {
            Some(cursor) => cursor,
            None => self.window(offset, FIRST_WINDOW.max(len as u64)).await?,
        };
        self.fill(&mut cursor).await?;
        let first = cursor.advance(len);
        let read = if first.len() == len {
            first
        } else {
            let mut read = BytesMut::with_capacity(len);
            read.extend_from_slice(&first);
            while read.len() < len {
                self.fill(&mut cursor).await?;
                read.extend_from_slice(&cursor.advance(len - read.len()));
            }
            read.freeze()
        };
        self.put_back(cursor);
        Ok(read)
    }
}
