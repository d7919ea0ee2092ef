//! The paths that Berth hands out: what `path` reads back.
//!
//! They are relative (RFC 9110 section 10.2.2), so they work behind any proxy; one that cuts off a path in front of `/v2`
//! and is trusted has its `X-Forwarded-Prefix` put back.

use std::fmt::{Display, Write as _};

use berth_blobs::UploadId;
use berth_oci::{Digest, RepositoryName};
use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::header;

/// What needs no encoding in a parameter's value (RFC 3986 section 2.3), plus the digest's colon.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// Builds paths below the prefix a proxy cut off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Locations<'a> {
    prefix: &'a str,
}

impl<'a> Locations<'a> {
    pub(super) fn below(prefix: Option<&'a str>) -> Self {
        Self { prefix: prefix.unwrap_or_default() }
    }

    pub(super) fn manifest(self, repository: &RepositoryName, digest: &Digest) -> HeaderValue {
        header::value(format_args!("{}/v2/{repository}/manifests/{digest}", self.prefix))
    }

    pub(super) fn blob(self, repository: &RepositoryName, digest: &Digest) -> HeaderValue {
        header::value(format_args!("{}/v2/{repository}/blobs/{digest}", self.prefix))
    }

    pub(super) fn upload(self, repository: &RepositoryName, id: &UploadId) -> HeaderValue {
        header::value(format_args!("{}/v2/{repository}/blobs/uploads/{id}", self.prefix))
    }

    /// The `Link` to the next page of a list (RFC 8288), with the parameters that lead there.
    pub(super) fn next(self, path: impl Display, parameters: &[(&str, &str)]) -> HeaderValue {
        let mut link = format!("<{}/v2/{path}", self.prefix);
        for (i, (key, text)) in parameters.iter().enumerate() {
            let separator = if i == 0 { '?' } else { '&' };
            // Writing to a String doesn't fail.
            let _ = write!(link, "{separator}{key}={}", utf8_percent_encode(text, VALUE));
        }
        link.push_str(">; rel=\"next\"");
        header::value(link)
    }
}
