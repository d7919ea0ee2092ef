//! Several ranges of a blob in one response: `multipart/byteranges` (RFC 9110 section 14.6).

use std::collections::VecDeque;
use std::ops::Range;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::BodyError;
use super::blob::{BlobRange, Source, slice};

/// Part headers and ranges in the order they are sent.
pub(super) struct Multipart(VecDeque<Segment>);

enum Segment {
    Bytes(Bytes),
    Blob { range: BlobRange, length: u64 },
}

impl Multipart {
    pub(super) fn new(source: &Source, size: u64, ranges: &[Range<u64>], boundary: &str) -> Self {
        let mut segments = VecDeque::with_capacity(2 * ranges.len() + 1);
        for (i, range) in ranges.iter().enumerate() {
            let break_before = if i == 0 { "" } else { "\r\n" };
            let last = range.end.saturating_sub(1);
            segments.push_back(Segment::Bytes(Bytes::from(format!(
                "{break_before}--{boundary}\r\nContent-Type: application/octet-stream\r\n\
                 Content-Range: bytes {}-{last}/{size}\r\n\r\n",
                range.start
            ))));
            segments.push_back(match source {
                Source::Inline(bytes) => Segment::Bytes(slice(bytes, range)),
                Source::Stored(reader) => Segment::Blob {
                    range: BlobRange::new(reader.clone(), range.clone()),
                    length: range.end.saturating_sub(range.start),
                },
            });
        }
        segments.push_back(Segment::Bytes(Bytes::from(format!("\r\n--{boundary}--\r\n"))));
        Self(segments)
    }

    /// Bytes of the whole body.
    pub(super) fn length(&self) -> u64 {
        self.0
            .iter()
            .map(|segment| match segment {
                Segment::Bytes(bytes) => bytes.len() as u64,
                Segment::Blob { length, .. } => *length,
            })
            .sum()
    }

    pub(super) fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            match self.0.front_mut() {
                None => return Poll::Ready(None),
                Some(Segment::Bytes(bytes)) => {
                    let bytes = std::mem::take(bytes);
                    self.0.pop_front();
                    return Poll::Ready(Some(Ok(bytes)));
                }
                Some(Segment::Blob { range, .. }) => match ready!(range.poll_bytes(cx)) {
                    Some(piece) => return Poll::Ready(Some(piece)),
                    None => {
                        self.0.pop_front();
                    }
                },
            }
        }
    }
}
