//! Which endpoint a request is for: path and query, parsed once, before anything else is decided.
//!
//! A repository's name contains slashes and may have components such as `blobs` or `tags`, so paths are read from their end.
//! What a path means is settled here for good:
//!
//! - Components are separated by plain slashes. `%2F` never separates; other percent-encoding is resolved once, within a
//!   component, before the component's own grammar is applied (so `sha256%3A…` is a digest and `%252F` is nothing).
//! - No path is normalised: `..`, empty components and doubled slashes fail the grammar of names. The only path that ends
//!   with a slash beside `/v2/` is `…/blobs/uploads/`; both work without it as well.

use std::borrow::Cow;

use berth_blobs::UploadId;
use berth_oci::{Digest, DigestError, NameError, Reference, RepositoryName, Tag, TagError};
use percent_encoding::percent_decode_str;

use super::query::{self, Page, Start};
use crate::context::{Endpoint as Label, RequestContext};

/// One endpoint of the distribution API, with what its path and query say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// end-1: `/v2/`.
    Base,
    /// `/v2/_catalog`, which the specification left out and clients use.
    Catalog { page: Page<String> },
    /// end-8: `/v2/<name>/tags/list`.
    Tags { repository: RepositoryName, page: Page<String> },
    /// end-3, end-7, end-9: `/v2/<name>/manifests/<reference>`; `tags` are the `tag` parameters.
    Manifest { repository: RepositoryName, reference: Reference, tags: Vec<Tag> },
    /// end-2, end-10: `/v2/<name>/blobs/<digest>`.
    Blob { repository: RepositoryName, digest: Digest },
    /// end-4, end-11: `/v2/<name>/blobs/uploads/`.
    Uploads { repository: RepositoryName, start: Start },
    /// end-5, end-6, end-13, end-14: `/v2/<name>/blobs/uploads/<id>`; `digest` is what a `PUT` says it completes.
    Upload { repository: RepositoryName, id: UploadId, digest: Option<Digest> },
    /// end-12: `/v2/<name>/referrers/<digest>`.
    Referrers {
        repository: RepositoryName,
        subject: Digest,
        artifact_type: Option<String>,
        page: Page<Digest>,
    },
}

/// Why a path or query means nothing. The texts are what the grammars say about the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PathError {
    /// No endpoint looks like this.
    NoEndpoint,
    /// The repository's name is against the grammar.
    Name(String),
    /// A tag is against the grammar. Nothing can have it, so looking it up finds nothing.
    Tag(String),
    /// A digest is malformed or of an unknown algorithm.
    Digest(String),
    /// No upload can have this id.
    UploadId,
    /// A query parameter has no meaning; the key and what would be right.
    Parameter(&'static str, &'static str),
}

impl Endpoint {
    /// Reads a path beginning with `/v2` and its query.
    pub(crate) fn parse(path: &str, query: Option<&str>) -> Result<Self, PathError> {
        let query = query.unwrap_or_default();
        let Some(path) = path.strip_prefix("/v2") else { return Err(PathError::NoEndpoint) };
        let path = match path {
            "" | "/" => return Ok(Self::Base),
            "/_catalog" => return Ok(Self::Catalog { page: query::page(query, "last")? }),
            path => path.strip_prefix('/').ok_or(PathError::NoEndpoint)?,
        };
        let (rest, last) = path.rsplit_once('/').ok_or(PathError::NoEndpoint)?;
        let (name, kind) = rest.rsplit_once('/').ok_or(PathError::NoEndpoint)?;
        match (kind, last) {
            ("manifests", reference) => Ok(Self::Manifest {
                repository: repository(name)?,
                reference: self::reference(reference)?,
                tags: query::tags(query)?,
            }),
            ("blobs", "uploads") => {
                Ok(Self::Uploads { repository: repository(name)?, start: Start::parse(query)? })
            }
            ("blobs", digest) => {
                Ok(Self::Blob { repository: repository(name)?, digest: self::digest(&decoded(digest)?)? })
            }
            ("uploads", id) => {
                let name = name.strip_suffix("/blobs").ok_or(PathError::NoEndpoint)?;
                let repository = repository(name)?;
                if id.is_empty() {
                    return Ok(Self::Uploads { repository, start: Start::parse(query)? });
                }
                let id = id.parse().map_err(|_| PathError::UploadId)?;
                Ok(Self::Upload { repository, id, digest: query::digest(query, "digest")? })
            }
            ("tags", "list") => {
                Ok(Self::Tags { repository: repository(name)?, page: query::page(query, "last")? })
            }
            ("referrers", subject) => Ok(Self::Referrers {
                repository: repository(name)?,
                subject: digest(&decoded(subject)?)?,
                artifact_type: query::artifact_type(query),
                page: query::referrers_page(query)?,
            }),
            _ => Err(PathError::NoEndpoint),
        }
    }

    /// Notes in the request's context what the request is for.
    pub(crate) fn describe(&self, cx: &mut RequestContext) {
        let (label, repository, reference) = match self {
            Self::Base => (Label::Base, None, None),
            Self::Catalog { .. } => (Label::Catalog, None, None),
            Self::Tags { repository, .. } => (Label::Tags, Some(repository), None),
            Self::Manifest { repository, reference, .. } => {
                (Label::Manifest, Some(repository), Some(reference.to_string()))
            }
            Self::Blob { repository, digest } => (Label::Blob, Some(repository), Some(digest.to_string())),
            Self::Uploads { repository, .. } => (Label::Upload, Some(repository), None),
            Self::Upload { repository, id, .. } => (Label::Upload, Some(repository), Some(id.to_string())),
            Self::Referrers { repository, subject, .. } => {
                (Label::Referrers, Some(repository), Some(subject.to_string()))
            }
        };
        cx.endpoint = label;
        cx.repository = repository.cloned();
        cx.reference = reference;
    }

    /// The methods the endpoint has, as the value of `Allow`.
    pub(crate) fn allow(&self) -> &'static str {
        match self {
            Self::Base | Self::Catalog { .. } | Self::Tags { .. } | Self::Referrers { .. } => "GET, HEAD",
            Self::Manifest { .. } => "GET, HEAD, PUT, DELETE",
            Self::Blob { .. } => "GET, HEAD, DELETE",
            Self::Uploads { .. } => "POST",
            Self::Upload { .. } => "GET, HEAD, PATCH, PUT, DELETE",
        }
    }
}

/// Resolves percent-encoding within one component or parameter.
pub(super) fn decoded(text: &str) -> Result<Cow<'_, str>, PathError> {
    percent_decode_str(text).decode_utf8().map_err(|_| PathError::NoEndpoint)
}

/// Reads a repository's name from a path, whose slashes are all plain.
fn repository(text: &str) -> Result<RepositoryName, PathError> {
    let decoded = decoded(text)?;
    if decoded.matches('/').count() != text.matches('/').count() {
        return Err(PathError::Name("repository name has an encoded slash, send it as / itself".into()));
    }
    repository_name(&decoded)
}

/// Reads a repository's name that is already decoded.
pub(super) fn repository_name(text: &str) -> Result<RepositoryName, PathError> {
    text.parse().map_err(|error: NameError| PathError::Name(error.to_string()))
}

fn reference(text: &str) -> Result<Reference, PathError> {
    let text = decoded(text)?;
    // No tag has a colon, every digest does.
    if text.contains(':') { digest(&text).map(Reference::Digest) } else { tag(&text).map(Reference::Tag) }
}

pub(super) fn tag(text: &str) -> Result<Tag, PathError> {
    text.parse().map_err(|error: TagError| PathError::Tag(error.to_string()))
}

pub(super) fn digest(text: &str) -> Result<Digest, PathError> {
    text.parse().map_err(|error: DigestError| PathError::Digest(error.to_string()))
}

#[cfg(test)]
mod tests;
