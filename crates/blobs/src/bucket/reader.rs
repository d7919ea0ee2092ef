//! Reads blobs as a stream of windows: each is one ranged request, so a reader that stops early wastes little. The request
//! for the next is sent while the last bytes of the one before are still on their way.

use std::{ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt as _, StreamExt as _, stream::BoxStream};
use object_store::{GetOptions, ObjectStore as _, path::Path};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::{Inner, error::map};
use crate::{BlobReader, Error, Result};

/// Bytes of the first window: most blobs, and the start of large ones.
const FIRST_WINDOW: u64 = 4 << 20;
/// Bytes of the window at a position somewhere else.
const OTHER_WINDOW: u64 = 1 << 20;
/// Windows grow to this, so that the time to the first byte of each hardly counts.
const LARGEST_WINDOW: u64 = 64 << 20;
/// The next window is asked for when no more than this, or half of the window, is left.
const AHEAD: u64 = 8 << 20;
/// Positions at which streams are kept open.
const CURSORS: usize = 4;
const DOING: &str = "read a blob";

/// Reads one blob.
#[derive(Debug)]
pub(super) struct BucketReader {
    blob: Arc<Blob>,
    cursors: Mutex<Vec<Cursor>>,
}

#[derive(Debug)]
struct Blob {
    inner: Arc<Inner>,
    key: Path,
    size: u64,
}

/// Is a stream at a position.
struct Cursor {
    position: u64,
    /// Bytes that came and were not asked for yet.
    ready: Bytes,
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    /// Where the stream ends.
    end: u64,
    /// Bytes of the window.
    window: u64,
    /// The window after it.
    next: Option<Coming>,
}

/// Is a window that was asked for. Dropped, it is not waited for.
struct Coming(JoinHandle<Result<Cursor>>);

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor")
            .field("position", &self.position)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

impl Blob {
    /// Asks for the window at a position.
    async fn window(&self, position: u64, bytes: u64) -> Result<Cursor> {
        let end = position.saturating_add(bytes).min(self.size);
        let options = GetOptions::new().with_range(Some(position..end));
        let object =
            self.inner.store.get_opts(&self.key, options).await.map_err(|error| map(error, DOING))?;
        Ok(Cursor::new(position..end, bytes, object.into_stream()))
    }
}

impl BucketReader {
    /// Asks for the first window, which says how large the blob is.
    pub(super) async fn open(inner: &Arc<Inner>, key: Path) -> Result<Self> {
        let reader = |size| Self {
            blob: Arc::new(Blob { inner: Arc::clone(inner), key: key.clone(), size }),
            cursors: Mutex::default(),
        };
        let options = GetOptions::new().with_range(Some(0..FIRST_WINDOW));
        match inner.store.get_opts(&key, options).await {
            Ok(object) => {
                let (size, end) = (object.meta.size, object.range.end);
                let reader = reader(size);
                reader.put_back(Cursor::new(0..end, FIRST_WINDOW, object.into_stream()));
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
        usize::try_from(self.blob.size.saturating_sub(offset)).map_or(len, |left| left.min(len))
    }

    /// Takes the stream that is at an offset.
    fn take(&self, offset: u64) -> Option<Cursor> {
        let mut cursors = self.cursors.lock();
        let index = cursors.iter().position(|cursor| cursor.position == offset)?;
        Some(cursors.swap_remove(index))
    }

    /// Keeps a stream for whoever reads on.
    fn put_back(&self, mut cursor: Cursor) {
        if cursor.position >= self.blob.size {
            return;
        }
        cursor.look_ahead(&self.blob);
        let mut cursors = self.cursors.lock();
        if cursors.len() == CURSORS {
            cursors.remove(0);
        }
        cursors.push(cursor);
    }

    /// Takes the stream that is at an offset, or asks for one, and makes bytes ready.
    async fn ready(&self, offset: u64, len: usize) -> Result<Cursor> {
        let mut cursor = match self.take(offset) {
            Some(cursor) => cursor,
            None => self.blob.window(offset, OTHER_WINDOW.max(len as u64)).await?,
        };
        self.fill(&mut cursor).await?;
        Ok(cursor)
    }

    /// Makes bytes ready, from the next window where this one ends.
    async fn fill(&self, cursor: &mut Cursor) -> Result<()> {
        let mut may_ask_again = true;
        while cursor.ready.is_empty() {
            if cursor.position >= cursor.end {
                *cursor = self.next(cursor).await?;
            }
            match cursor.stream.next().await {
                Some(Ok(chunk)) => cursor.ready = chunk,
                // Services end a stream that a slow client left waiting.
                Some(Err(_)) if may_ask_again => {
                    may_ask_again = false;
                    *cursor = self.blob.window(cursor.position, OTHER_WINDOW).await?;
                }
                Some(Err(error)) => return Err(map(error, DOING)),
                None => return Err(Error::Truncated { stored: cursor.position, expected: self.blob.size }),
            }
        }
        Ok(())
    }

    /// Returns the window after one that was read: the one that comes already, if it does.
    async fn next(&self, cursor: &mut Cursor) -> Result<Cursor> {
        if let Some(mut next) = cursor.next.take()
            && let Ok(Ok(next)) = (&mut next.0).await
        {
            return Ok(next);
        }
        self.blob.window(cursor.position, cursor.next_window()).await
    }
}

impl Cursor {
    fn new(range: Range<u64>, window: u64, stream: BoxStream<'static, object_store::Result<Bytes>>) -> Self {
        Self { position: range.start, ready: Bytes::new(), stream, end: range.end, window, next: None }
    }

    /// Takes up to `len` of the bytes that are ready.
    fn advance(&mut self, len: usize) -> Bytes {
        let bytes = self.ready.split_to(self.ready.len().min(len));
        self.position += bytes.len() as u64;
        bytes
    }

    fn next_window(&self) -> u64 {
        (self.window * 16).min(LARGEST_WINDOW)
    }

    /// Asks for the next window if this one ends soon and is being read.
    fn look_ahead(&mut self, blob: &Arc<Blob>) {
        let left = self.end.saturating_sub(self.position);
        if self.next.is_none() && self.end < blob.size && left <= AHEAD.min(self.window / 2) {
            let (blob, position, bytes) = (Arc::clone(blob), self.end, self.next_window());
            self.next = Some(Coming(tokio::spawn(async move { blob.window(position, bytes).await })));
        }
    }
}

#[async_trait]
impl BlobReader for BucketReader {
    fn size(&self) -> u64 {
        self.blob.size
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
                // A read asks anew, and tells what is wrong.
                Some(Err(_)) => return None,
                None => return Some(Err(Error::Truncated { stored: offset, expected: self.blob.size })),
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
        let mut cursor = self.ready(offset, len).await?;
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

    async fn read_some(&self, offset: u64, len: usize) -> Result<Bytes> {
        let len = self.len(offset, len);
        if len == 0 {
            return Ok(Bytes::new());
        }
        let mut cursor = self.ready(offset, len).await?;
        let bytes = cursor.advance(len);
        self.put_back(cursor);
        Ok(bytes)
    }
}
