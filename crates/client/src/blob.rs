//! Blobs: their bytes, from any offset, as they come.

use berth_oci::{Digest, RepositoryName};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use reqwest::header::{CONTENT_RANGE, HeaderMap};
use reqwest::{Response, StatusCode};

use crate::address::place;
use crate::list::pull_scope;
use crate::request::Call;
use crate::{Error, Result, Upstream};

/// The bytes of a blob, as they come. Nobody has compared them with the digest yet.
pub struct Body {
    /// Where they begin: where they were asked to, or 0 if the registry knows no ranges.
    pub offset: u64,
    /// The bytes; an error ends them.
    pub bytes: BoxStream<'static, Result<Bytes>>,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl Upstream {
    /// Fetches a blob's bytes from `offset` on, at most `len` of them; `None` if the registry has no such blob.
    pub async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        offset: u64,
        len: Option<u64>,
    ) -> Result<Option<Body>> {
        let what = format!("blob {repository} {digest}");
        let mut call =
            Call::get(self.0.url(&format!("{repository}/blobs/{digest}")), &pull_scope(repository));
        if offset > 0 || len.is_some() {
            let last = len.map_or_else(String::new, |len| offset.saturating_add(len.max(1) - 1).to_string());
            call.range = Some(format!("bytes={offset}-{last}"));
        }
        let response = self.0.send(&call).await?;
        let begin = match response.status() {
            StatusCode::NOT_FOUND => return Ok(None),
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT => match first_byte(response.headers()) {
                Some(first) if first == offset => offset,
                _ => return Err(Error::protocol(&what, "other bytes came than were asked for")),
            },
            _ => return Err(self.0.refusal(&what, response).await),
        };
        Ok(Some(Body { offset: begin, bytes: self.bytes(response) }))
    }

    /// Hands out the body of an answer, as fast as bytes may come.
    fn bytes(&self, response: Response) -> BoxStream<'static, Result<Bytes>> {
        let (at, inner) = (place(response.url()), self.0.clone());
        let chunks = stream::unfold(Some(response), move |open| {
            let (at, inner) = (at.clone(), inner.clone());
            async move {
                let mut open = open?;
                match open.chunk().await {
                    Ok(Some(chunk)) => {
                        inner.throttle.spend(chunk.len()).await;
                        Some((Ok(chunk), Some(open)))
                    }
                    Ok(None) => None,
                    Err(error) => Some((Err(Error::unreachable(at, error)), None)),
                }
            }
        });
        chunks.boxed()
    }
}

/// Reads where a part begins: `bytes 100-199/1000`.
fn first_byte(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?.trim().strip_prefix("bytes")?;
    range.trim_start().split_once('-')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_says_where_it_begins() {
        let of = |text: &str| first_byte(&HeaderMap::from_iter([(CONTENT_RANGE, text.parse().unwrap())]));
        assert_eq!(of("bytes 100-199/1000"), Some(100));
        assert_eq!(of("bytes 0-0/*"), Some(0));
        for text in ["", "bytes */1000", "100-199/1000", "bytes -5/10", "bytes x-1/2"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
