//! The body of a request on its way in: counted for the access line, and given up when the client stops sending, or takes too long over
//! one that is small.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::config::Limits;

/// A request body that counts its bytes and fails when nothing comes for a while.
pub(crate) struct Inbound<B> {
    body: B,
    /// Shared with the request's [`crate::exchange::Exchange`], which may outlive the body or be outlived by it.
    received: Option<Arc<AtomicU64>>,
    patience: Duration,
    /// Since when something was asked for and nothing has come.
    waiting_since: Option<Instant>,
    /// Goes off when patience was at its end for some wait, perhaps an earlier one. Made when first needed.
    timer: Option<Pin<Box<Sleep>>>,
}

/// A request body ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InboundError<E> {
    /// The client stopped sending.
    #[error("client sent nothing for {} s; ask where the upload stands and continue from there", .0.as_secs())]
    Idle(Duration),
    /// The connection broke, or the body isn't what its header says.
    #[error("request body broke off: {0}")]
    Broken(E),
}

/// A small body was not there in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body was not there within {0} s: send it again, without pauses")]
pub(crate) struct Late(u64);

/// Reads what is small as a whole, for which a client may take so long: with it in hand something is done for a caller who was found out
/// when it began to come in.
pub(crate) async fn in_time<T>(limits: &Limits, reading: impl Future<Output = T>) -> Result<T, Late> {
    let seconds = limits.body_seconds;
    tokio::time::timeout(Duration::from_secs(seconds), reading).await.map_err(|_| Late(seconds))
}

impl<B: Body> Inbound<B> {
    /// Wraps `body`, which may bring nothing for `patience`, and returns the number of bytes that have come of it. One
    /// that is empty isn't counted.
    pub(crate) fn new(body: B, patience: Duration) -> (Self, Option<Arc<AtomicU64>>) {
        let received = (!body.is_end_stream()).then(Arc::default);
        (Self { body, received: received.clone(), patience, waiting_since: None, timer: None }, received)
    }

    /// Begins to wait, or goes on waiting; ready when patience is at its end.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = *self.waiting_since.get_or_insert_with(Instant::now) + self.patience;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        loop {
            ready!(timer.as_mut().poll(cx));
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            // It was set for an earlier wait: cheaper than to set it anew for every one.
            timer.as_mut().reset(due);
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Inbound<B> {
    type Data = Bytes;
    type Error = InboundError<B::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
            ready!(this.poll_patience(cx));
            return Poll::Ready(Some(Err(InboundError::Idle(this.patience))));
        };
        this.waiting_since = None;
        if let (Some(Ok(frame)), Some(received)) = (&frame, &this.received) {
            received.fetch_add(frame.data_ref().map_or(0, Bytes::len) as u64, Ordering::Relaxed);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(InboundError::Broken)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    /// Sends a byte after each of these seconds.
    fn slow(seconds: &'static [u64]) -> impl Body<Data = Bytes, Error = &'static str> + Unpin {
        StreamBody::new(
            futures_util::stream::iter(seconds)
                .then(|seconds| async {
                    tokio::time::sleep(Duration::from_secs(*seconds)).await;
                    Ok(Frame::data(Bytes::from_static(b"x")))
                })
                .boxed(),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn slow_is_not_idle() {
        let (body, received) = Inbound::new(slow(&[9, 9, 1, 9, 0, 9]), Duration::from_secs(10));
        assert_eq!(body.collect().await.unwrap().to_bytes().len(), 6);
        assert_eq!(received.unwrap().load(Ordering::Relaxed), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn idle_is_given_up() {
        let (body, received) = Inbound::new(slow(&[9, 11]), Duration::from_secs(10));
        let error = body.collect().await.unwrap_err();
        assert!(error.to_string().starts_with("client sent nothing for 10 s"), "{error}");
        assert_eq!(received.unwrap().load(Ordering::Relaxed), 1);
    }
}
