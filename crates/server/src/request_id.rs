//! Request ids: one per request, in the response header, the access line and log lines.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderName, HeaderValue};

/// The header that carries the id, in both directions.
pub(crate) static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Longest id taken over from a proxy, in bytes.
const MAX_BYTES: usize = 128;

/// Identifies one request.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// Makes an id that this process gives out once, and that another process hardly will.
    ///
    /// A counter under a secret start, scrambled by a bijection: no random bytes and no clock per request.
    pub(crate) fn generate() -> Self {
        static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| {
            let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
            AtomicU64::new(high ^ low.rotate_left(32))
        });
        let mut hex = [0; 16];
        let value = scramble(NEXT.fetch_add(1, Ordering::Relaxed)).to_be_bytes();
        for (pair, byte) in hex.chunks_exact_mut(2).zip(value) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 0xf)];
        }
        #[expect(clippy::unwrap_used, reason = "hexadecimal digits are a valid header value")]
        Self(HeaderValue::from_bytes(&hex).unwrap())
    }

    /// Takes over the id a trusted proxy sent, unless it is empty, overlong or more than letters, digits and `-_.:/+=`.
    pub(crate) fn accept(sent: &HeaderValue) -> Option<Self> {
        let bytes = sent.as_bytes();
        let sane = |b: &u8| b.is_ascii_alphanumeric() || b"-_.:/+=".contains(b);
        (!bytes.is_empty() && bytes.len() <= MAX_BYTES && bytes.iter().all(sane)).then(|| Self(sent.clone()))
    }

    /// The id as text.
    pub(crate) fn as_str(&self) -> &str {
        // Both constructors let only ASCII through.
        self.0.to_str().unwrap_or_default()
    }

    /// The id as the value of a response header.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// The finalizer of `SplitMix64`: every input has its own output, and neighbours look unrelated.
const fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn generated_ids_differ_and_are_acceptable() {
        let ids: HashSet<String> = (0..10_000).map(|_| RequestId::generate().as_str().to_owned()).collect();
        assert_eq!(ids.len(), 10_000);
        let id = RequestId::generate();
        assert_eq!(id.as_str().len(), 16);
        assert!(RequestId::accept(&id.header()).is_some());
    }

    #[test]
    fn odd_ids_are_not_taken_over() {
        for odd in [&b""[..], b"a b", b"a\"b", b"a\tb", &[b'a'; 129], b"\xff\xfe"] {
            assert!(RequestId::accept(&HeaderValue::from_bytes(odd).unwrap()).is_none(), "{odd:?}");
        }
        let kept = HeaderValue::from_static("Root=1-67891233-abcdef012345678912345678");
        assert_eq!(RequestId::accept(&kept).unwrap().as_str(), "Root=1-67891233-abcdef012345678912345678");
    }
}
