//! Request bodies: as a stream for the registry, or whole and bounded.
//!
//! A client that is refused may still be sending, and would lose the answer if the connection were reset under it. What
//! it sends is therefore read away in the background, up to a limit, while the answer is on its way.

use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use berth_registry::{BodyError, BodyResult};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use http::header::{CONTENT_LENGTH, EXPECT};
use http::request::Parts;
use http_body::Body;

use super::error::Refusal;

/// Most that is read away of a refused request, in bytes.
const DRAIN_BYTES: usize = 1024 * 1024;
/// Longest that is spent on it.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// The body of a request, as the registry takes it.
///
/// Ends with an error if the client leaves, or sends another number of bytes than it announced.
pub(super) struct Incoming<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    /// None after the end or an error.
    body: Option<B>,
    /// What `Content-Length` said.
    announced: Option<u64>,
    received: u64,
    /// The client waits for `100 Continue`, which it gets when the body is first polled.
    held_back: bool,
    /// Asked when the last byte has come, before anything is made of them.
    check: Option<Check>,
}

/// Tells whether a body still counts that has come in.
pub(super) type Check = Box<dyn FnOnce() -> Result<(), BodyError> + Send>;

impl<B> Incoming<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    pub(super) fn new(head: &Parts, body: B) -> Self {
        let length = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        Self {
            announced: length.or_else(|| body.size_hint().exact()),
            held_back: head.headers.contains_key(EXPECT),
            body: Some(body),
            received: 0,
            check: None,
        }
    }

    /// The number of bytes the client announced, if it did.
    pub(super) fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// Has `check` asked when the last byte has come: the body of a blob may take hours.
    pub(super) fn checked_by(mut self, check: Check) -> Self {
        self.check = Some(check);
        self
    }

    /// Reads the whole body. One that is longer than `limit` bytes is refused, before it is read if the client announced
    /// its length.
    pub(super) async fn collect(
        mut self,
        limit: u64,
        too_large: fn(u64) -> Refusal,
    ) -> Result<Bytes, Refusal> {
        if self.announced.is_some_and(|announced| announced > limit) {
            return Err(too_large(limit));
        }
        let first = self.next().await.transpose()?.unwrap_or_default();
        // A body of one piece, as most manifests are, is not copied.
        let Some(second) = self.next().await.transpose()? else {
            return if first.len() as u64 <= limit { Ok(first) } else { Err(too_large(limit)) };
        };
        let mut whole = BytesMut::from(&first[..]);
        let mut next = Some(second);
        while let Some(piece) = next {
            if (whole.len() + piece.len()) as u64 > limit {
                return Err(too_large(limit));
            }
            whole.extend_from_slice(&piece);
            next = self.next().await.transpose()?;
        }
        Ok(whole.freeze())
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<BodyResult>> {
        while let Some(body) = &mut self.body {
            self.held_back = false;
            let frame = match ready!(Pin::new(body).poll_frame(cx)) {
                None => break,
                Some(Err(error)) => return Poll::Ready(Some(Err(BodyError(error.to_string())))),
                Some(Ok(frame)) => frame,
            };
            // Trailers mean nothing here.
            if let Ok(data) = frame.into_data()
                && !data.is_empty()
            {
                self.received += data.len() as u64;
                return Poll::Ready(Some(match self.announced {
                    Some(announced) if self.received > announced => Err(self.wrong_length(announced)),
                    _ => Ok(data),
                }));
            }
        }
        let ended = self.body.take().is_some();
        let short = self.announced.filter(|announced| ended && self.received < *announced);
        if let Some(announced) = short {
            return Poll::Ready(Some(Err(self.wrong_length(announced))));
        }
        Poll::Ready(self.check.take().and_then(|check| check().err()).map(Err))
    }

    fn wrong_length(&self, announced: u64) -> BodyError {
        BodyError(format!(
            "Content-Length says {announced} bytes, {} came; send both the same",
            self.received
        ))
    }
}

impl<B> Stream for Incoming<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    type Item = BodyResult;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<BodyResult>> {
        let item = ready!(self.poll_data(cx));
        if matches!(item, Some(Err(_))) {
            // Nothing may be added to a body that is wrong.
            self.body = None;
        }
        Poll::Ready(item)
    }
}

impl<B> Drop for Incoming<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Display,
{
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) else { return };
        // A client that waits for `100 Continue` hasn't sent anything, and draining would ask it to.
        if self.held_back {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(DRAIN_TIME, drain(body)));
        }
    }
}

async fn drain<B: Body<Data = Bytes> + Unpin>(mut body: B) {
    let mut left = DRAIN_BYTES;
    while let Some(Ok(frame)) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests;
