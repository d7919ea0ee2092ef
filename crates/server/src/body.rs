//! Response bodies: nothing, bytes in memory, or ranges of a stored blob.
//!
//! The length is always known before the first byte, so every response can carry `Content-Length`. A blob that turns
//! out damaged or unreadable half-way ends its own response and nothing else.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use berth_blobs::BlobReader;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

mod blob;
mod multipart;

pub(crate) use blob::Source;
use multipart::Multipart;

use self::blob::BlobRange;

/// How much of a body left the server, and why no more did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Bytes handed to the connection.
    pub(crate) bytes: u64,
    /// How the body ended.
    pub(crate) end: End,
}

/// How a body ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// All of it was handed to the connection.
    Complete,
    /// The client left, or the connection was cut.
    Aborted,
    /// The blob could not be read to its end; the cause is for logs.
    Failed(String),
}

/// A response body of known length.
pub(crate) struct Body {
    content: Content,
    /// Bytes still to come.
    remaining: u64,
    sent: u64,
    failure: Option<String>,
    on_end: Option<Box<dyn FnOnce(Sent) + Send>>,
}

enum Content {
    Empty,
    Full(Bytes),
    Blob(BlobRange),
    Multipart(Box<Multipart>),
}

/// A stored blob could not be read to its end.
#[derive(Debug, thiserror::Error)]
#[error("blob could not be read at byte {offset}: {cause}")]
pub(crate) struct BodyError {
    /// Position in the blob.
    pub(crate) offset: u64,
    /// What the store said.
    pub(crate) cause: String,
}

impl Body {
    /// Nothing.
    pub(crate) fn empty() -> Self {
        Self::new(Content::Empty, 0)
    }

    /// Bytes in memory.
    pub(crate) fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let length = bytes.len() as u64;
        if length == 0 { Self::empty() } else { Self::new(Content::Full(bytes), length) }
    }

    /// The bytes `range` of a blob. `range` must lie within the blob.
    pub(crate) fn blob(source: Source, range: std::ops::Range<u64>) -> Self {
        let length = range.end.saturating_sub(range.start);
        match source {
            Source::Inline(bytes) => Self::full(blob::slice(&bytes, &range)),
            Source::Stored(_) if length == 0 => Self::empty(),
            Source::Stored(reader) => Self::new(Content::Blob(BlobRange::new(reader, range)), length),
        }
    }

    /// Several ranges of a blob as `multipart/byteranges` (RFC 9110 section 14.6), each with its part header.
    pub(crate) fn multipart(
        source: &Source,
        size: u64,
        ranges: &[std::ops::Range<u64>],
        boundary: &str,
    ) -> Self {
        let multipart = Multipart::new(source, size, ranges, boundary);
        let length = multipart.length();
        Self::new(Content::Multipart(Box::new(multipart)), length)
    }

    /// Calls `hook` once when the body ends or is dropped. What the hook holds lives until then, so a guard in it spans
    /// the whole response. A later hook is called after the earlier ones.
    #[must_use]
    pub(crate) fn on_end(mut self, hook: impl FnOnce(Sent) + Send + 'static) -> Self {
        self.on_end = Some(match self.on_end.take() {
            None => Box::new(hook),
            Some(earlier) => Box::new(move |sent: Sent| {
                earlier(sent.clone());
                hook(sent);
            }),
        });
        self
    }

    fn new(content: Content, remaining: u64) -> Self {
        Self { content, remaining, sent: 0, failure: None, on_end: None }
    }

    /// The next bytes; none at the end.
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        match &mut self.content {
            Content::Empty => Poll::Ready(None),
            Content::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.content = Content::Empty;
                Poll::Ready(Some(Ok(bytes)))
            }
            Content::Blob(blob) => blob.poll_bytes(cx),
            Content::Multipart(multipart) => multipart.poll_bytes(cx),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        match std::task::ready!(this.poll_bytes(cx)) {
            None => Poll::Ready(None),
            Some(Ok(bytes)) => {
                let length = bytes.len() as u64;
                this.sent += length;
                this.remaining = this.remaining.saturating_sub(length);
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Some(Err(error)) => {
                // The content is known to be bad from here on; whoever polls again gets nothing.
                this.content = Content::Empty;
                this.failure = Some(error.to_string());
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(hook) = self.on_end.take() {
            let end = match self.failure.take() {
                Some(cause) => End::Failed(cause),
                None if self.remaining == 0 => End::Complete,
                None => End::Aborted,
            };
            hook(Sent { bytes: self.sent, end });
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("remaining", &self.remaining).finish_non_exhaustive()
    }
}

impl From<Arc<dyn BlobReader>> for Source {
    fn from(reader: Arc<dyn BlobReader>) -> Self {
        Self::Stored(reader)
    }
}

#[cfg(test)]
mod tests;
