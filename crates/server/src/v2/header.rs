//! The header fields of the distribution API: names, values that are made once, and conditions.

use std::fmt::{Display, Write as _};

use berth_access::Caller;
use berth_oci::{Digest, media_type};
use bytes::BytesMut;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::body::Body;

pub(super) static DOCKER_DISTRIBUTION_API_VERSION: HeaderName =
    HeaderName::from_static("docker-distribution-api-version");
/// Seconds since the content was last known to be right, on what is served while that can't be asked.
pub(super) static BERTH_STALE: HeaderName = HeaderName::from_static("berth-stale");
pub(super) static DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
pub(super) static DOCKER_UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
pub(super) static OCI_CHUNK_MIN_LENGTH: HeaderName = HeaderName::from_static("oci-chunk-min-length");
pub(super) static OCI_FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");
pub(super) static OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
pub(super) static OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");

/// Makes a value of text that is known to be visible ASCII.
pub(super) fn value(text: impl Display) -> HeaderValue {
    let mut bytes = BytesMut::new();
    // Writing to memory doesn't fail.
    let _ = write!(bytes, "{text}");
    HeaderValue::from_maybe_shared(bytes.freeze()).unwrap_or_else(|_| HeaderValue::from_static("invalid"))
}

/// Names content by its digest: for `Docker-Content-Digest`, and quoted as its entity tag.
pub(super) struct Named {
    pub(super) digest: HeaderValue,
    etag: HeaderValue,
}

impl Named {
    pub(super) fn new(digest: &Digest) -> Self {
        let mut quoted = BytesMut::with_capacity(160);
        // Writing to memory doesn't fail.
        let _ = write!(quoted, "\"{digest}\"");
        let quoted = quoted.freeze();
        // One piece of memory for both; hexadecimal digits are a valid value.
        let part = |bytes| {
            HeaderValue::from_maybe_shared(bytes).unwrap_or_else(|_| HeaderValue::from_static("invalid"))
        };
        Self { digest: part(quoted.slice(1..quoted.len() - 1)), etag: part(quoted) }
    }

    /// Tells whether the client already has this content (RFC 9110 section 13.1.2). Like Docker's registry, it takes the
    /// digest without quotes as well.
    pub(super) fn is_known(&self, headers: &HeaderMap) -> bool {
        headers.get_all(IF_NONE_MATCH).iter().any(|list| {
            list.as_bytes().split(|b| *b == b',').map(<[u8]>::trim_ascii).any(|tag| {
                let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
                tag == b"*" || tag == self.etag.as_bytes() || tag == self.digest.as_bytes()
            })
        })
    }

    /// Tells whether a `Range` applies to this content: there is no `If-Range`, or it names exactly this (RFC 9110
    /// section 13.1.5). A date never does, content has no date here.
    pub(super) fn is_in_range_condition(&self, headers: &HeaderMap) -> bool {
        headers.get(IF_RANGE).is_none_or(|condition| condition == self.etag)
    }

    /// Adds digest, entity tag and how long they stay true.
    pub(super) fn insert_into(self, headers: &mut HeaderMap, freshness: HeaderValue) {
        headers.insert(&DOCKER_CONTENT_DIGEST, self.digest);
        headers.insert(ETAG, self.etag);
        headers.insert(CACHE_CONTROL, freshness);
    }
}

/// How long a cache may serve what was asked for by digest: for good. Content that needed credentials is only for the
/// caller's own cache.
pub(super) fn immutable(caller: &Caller) -> HeaderValue {
    HeaderValue::from_static(if caller.is_anonymous() {
        "max-age=31536000, immutable"
    } else {
        "private, max-age=31536000, immutable"
    })
}

/// What was asked for by tag has to be asked for again, with `If-None-Match`.
pub(super) fn movable(caller: &Caller) -> HeaderValue {
    HeaderValue::from_static(if caller.is_anonymous() { "no-cache" } else { "private, no-cache" })
}

/// The `Content-Type` of a manifest.
pub(super) fn content_type(of: &str) -> HeaderValue {
    match of {
        media_type::OCI_MANIFEST => HeaderValue::from_static(media_type::OCI_MANIFEST),
        media_type::OCI_INDEX => HeaderValue::from_static(media_type::OCI_INDEX),
        media_type::DOCKER_MANIFEST => HeaderValue::from_static(media_type::DOCKER_MANIFEST),
        media_type::DOCKER_MANIFEST_LIST => HeaderValue::from_static(media_type::DOCKER_MANIFEST_LIST),
        other => HeaderValue::from_str(other)
            .unwrap_or_else(|_| HeaderValue::from_static(media_type::OCTET_STREAM)),
    }
}

/// A response without content.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// A list, or whatever else is told in JSON.
pub(super) fn json(content: &impl Serialize) -> Response<Body> {
    let mut response = Response::new(Body::full(serde_json::to_vec(content).unwrap_or_default()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests;
