use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Request;
use http_body::Frame;

use super::*;

/// A body of given pieces that counts those taken.
struct Pieces {
    left: VecDeque<&'static [u8]>,
    taken: Arc<AtomicUsize>,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.left.pop_front() {
            Some(piece) => {
                self.taken.fetch_add(1, Ordering::Relaxed);
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(piece)))))
            }
            None => Poll::Ready(None),
        }
    }
}

fn incoming(
    headers: &[(&str, &str)],
    pieces: impl IntoIterator<Item = &'static [u8]>,
) -> (Incoming<Pieces>, Arc<AtomicUsize>) {
    let mut request = Request::builder();
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    let taken = Arc::new(AtomicUsize::new(0));
    let body = Pieces { left: pieces.into_iter().collect(), taken: Arc::clone(&taken) };
    (Incoming::new(&head, body), taken)
}

fn too_large(limit: u64) -> Refusal {
    Refusal::manifest_too_large(limit)
}

async fn collect(headers: &[(&str, &str)], pieces: &[&'static [u8]], limit: u64) -> Result<Bytes, String> {
    let (body, _) = incoming(headers, pieces.iter().copied());
    body.collect(limit, too_large).await.map_err(|refusal| format!("{refusal:?}"))
}

#[tokio::test]
async fn collects_within_the_limit() {
    assert_eq!(collect(&[], &[], 3).await.unwrap(), "");
    assert_eq!(collect(&[], &[b"abc"], 3).await.unwrap(), "abc");
    assert_eq!(collect(&[("content-length", "3")], &[b"a", b"", b"b", b"c"], 3).await.unwrap(), "abc");
    for pieces in [&[&b"abcd"[..]][..], &[b"ab", b"cd"], &[b"abc", b"d"]] {
        let refusal = collect(&[], pieces, 3).await.unwrap_err();
        assert!(refusal.contains("413") && refusal.contains("larger than 3 bytes"), "{refusal}");
    }
}

#[tokio::test]
async fn refuses_by_the_announced_length_without_reading() {
    let (body, taken) = incoming(&[("content-length", "4"), ("expect", "100-continue")], [&b"abcd"[..]]);
    assert!(body.collect(3, too_large).await.is_err());
    tokio::task::yield_now().await;
    assert_eq!(taken.load(Ordering::Relaxed), 0, "a client that waits for 100 Continue isn't asked to send");
}

#[tokio::test]
async fn what_came_must_be_what_was_announced() {
    for (announced, pieces) in
        [("4", &[&b"abc"[..]][..]), ("2", &[b"abc"]), ("2", &[b"a", b"bc"]), ("1", &[])]
    {
        let refusal = collect(&[("content-length", announced)], pieces, 100).await.unwrap_err();
        assert!(refusal.contains(&format!("Content-Length says {announced} bytes")), "{refusal}");
    }
}

#[tokio::test]
async fn nothing_follows_an_error() {
    let (mut body, _) = incoming(&[("content-length", "1")], [&b"a"[..], b"b", b"c"]);
    assert_eq!(body.next().await.unwrap().unwrap(), "a");
    assert!(body.next().await.unwrap().is_err());
    assert!(body.next().await.is_none());
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn a_refused_body_is_read_away_to_a_limit() {
    const PIECE: &[u8] = &[0; 256 * 1024];
    let (body, taken) = incoming(&[], [PIECE; 100]);
    drop(body);
    while taken.load(Ordering::Relaxed) < 5 {
        tokio::task::yield_now().await;
    }
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(taken.load(Ordering::Relaxed), 5);
}
