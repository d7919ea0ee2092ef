//! The parameters of the distribution API's endpoints.
//!
//! A `+` stands for itself, not for a space: no parameter has spaces, and media types have plus signs that clients
//! forget to encode. The first of several values counts, but for `tag`, which may be given many times.

use std::borrow::Cow;

use berth_oci::{Algorithm, Digest, RepositoryName, Tag};
use percent_encoding::percent_decode_str;

use super::path::{self, PathError};

/// Which part of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page<T> {
    /// At most this many.
    pub(crate) n: Option<usize>,
    /// Only what comes after this.
    pub(crate) last: Option<T>,
}

impl<T> Page<T> {
    /// How many to list: what was asked for, but no more than `cap`.
    pub(super) fn capped(&self, cap: usize) -> usize {
        self.n.map_or(cap, |n| n.min(cap))
    }
}

/// What a `POST` to `…/blobs/uploads/` asks for beside a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Start {
    /// The request's body is the whole blob, and this is its digest.
    pub(crate) digest: Option<Digest>,
    /// The blob may be mounted instead of sent.
    pub(crate) mount: Option<Mount>,
    /// The algorithm the session should hash with.
    pub(crate) algorithm: Option<Algorithm>,
}

/// A blob that may already be here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// The blob.
    pub(crate) digest: Digest,
    /// Where it is said to be; without it, anywhere the caller may read.
    pub(crate) from: Option<RepositoryName>,
}

impl Start {
    pub(crate) fn parse(query: &str) -> Result<Self, PathError> {
        let from = first(query, "from").filter(|from| !from.is_empty());
        let mount = match (digest(query, "mount")?, from.as_deref().map(path::repository_name)) {
            (Some(digest), None) => Some(Mount { digest, from: None }),
            (Some(digest), Some(Ok(from))) => Some(Mount { digest, from: Some(from) }),
            // No repository here can have such a name; as for any source without the blob, a session begins.
            (Some(_), Some(Err(_))) | (None, _) => None,
        };
        let algorithm = first(query, "digest-algorithm")
            .map(|name| {
                name.parse().map_err(|_| PathError::Parameter("digest-algorithm", "use sha256 or sha512"))
            })
            .transpose()?;
        Ok(Self { digest: digest(query, "digest")?, mount, algorithm })
    }

    /// The algorithm a session should begin to hash with, from whatever the request tells.
    pub(crate) fn session_algorithm(&self) -> Option<Algorithm> {
        let digest = self.digest.or(self.mount.as_ref().map(|mount| mount.digest));
        self.algorithm.or(digest.map(|digest| digest.algorithm()))
    }
}

/// The parameter `key` as a digest.
pub(super) fn digest(query: &str, key: &'static str) -> Result<Option<Digest>, PathError> {
    first(query, key).map(|text| path::digest(&text)).transpose()
}

/// All `tag` parameters (draft after 1.1: tags of a manifest that is pushed by digest).
pub(super) fn tags(query: &str) -> Result<Vec<Tag>, PathError> {
    pairs(query).filter(|(key, _)| key == "tag").map(|(_, text)| path::tag(&text)).collect()
}

/// The filter of a list of referrers. An empty one filters nothing.
pub(super) fn artifact_type(query: &str) -> Option<String> {
    first(query, "artifactType").filter(|text| !text.is_empty()).map(Cow::into_owned)
}

/// `n` and the name after which the page begins.
pub(super) fn page(query: &str, last: &str) -> Result<Page<String>, PathError> {
    Ok(Page { n: number(query)?, last: first(query, last).map(Cow::into_owned) })
}

/// `n` and the referrer after which the page begins; only links that Berth made have the latter.
pub(super) fn referrers_page(query: &str) -> Result<Page<Digest>, PathError> {
    Ok(Page { n: number(query)?, last: digest(query, "last")? })
}

fn number(query: &str) -> Result<Option<usize>, PathError> {
    match first(query, "n") {
        None => Ok(None),
        // However many digits: the cap makes it an ordinary number.
        Some(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
            Ok(Some(text.parse().unwrap_or(usize::MAX)))
        }
        Some(_) => Err(PathError::Parameter("n", "use a whole number, 0 or more")),
    }
}

fn first<'q>(query: &'q str, key: &str) -> Option<Cow<'q, str>> {
    pairs(query).find(|(found, _)| found == key).map(|(_, value)| value)
}

fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (percent_decode_str(key).decode_utf8_lossy(), percent_decode_str(value).decode_utf8_lossy())
    })
}
