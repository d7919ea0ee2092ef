//! The layout of a docker-registry store, read only; every name in it is made here.
//!
//! ```text
//! docker/registry/v2/
//!   blobs/sha256/ab/<hex>/data
//!   repositories/<name>/
//!     _layers/sha256/<hex>/link                  the repository may read the blob
//!     _manifests/revisions/sha256/<hex>/link     the repository holds the manifest
//!     _manifests/tags/<tag>/current/link         digest that the tag points at, as text
//! ```
//!
//! Listed are: what lies below `repositories`, level by level down to each repository, once; then the revisions and the tags of
//! one repository at a time. Everything else is asked for by its name. Blobs are never listed.

use std::path::PathBuf;

use berth_blobs::{Foreign, Listing, Objects, Result};
use berth_oci::{Digest, RepositoryName, Tag};
use bytes::Bytes;
use futures_util::future::try_join_all;
use jiff::Timestamp;

use super::REQUESTS;

/// A link holds one digest; more is not one.
const LINK_BYTES: u64 = 1024;

/// Another registry's store.
#[derive(Debug, Clone)]
pub(super) struct OldStore {
    objects: Objects,
    /// The name of the bucket; `None` for a directory behind the link.
    source: Option<String>,
}

impl OldStore {
    /// Names what lies in `…/docker/registry/v2`.
    pub(super) fn new(objects: Objects, source: Option<String>) -> Self {
        Self { objects, source }
    }

    /// Returns the name of the bucket; `None` for a directory.
    pub(super) fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// Tells whether a store of this layout is there: one that is not mounted looks like one that lost everything.
    pub(super) async fn is_whole(&self) -> Result<bool> {
        Ok(self.objects.has_names_below("repositories").await?
            && self.objects.has_names_below("blobs").await?)
    }

    /// Returns the file of a blob; `None` where blobs are not files.
    pub(super) fn file(&self, digest: &Digest) -> Option<PathBuf> {
        self.objects.file(&Foreign::name(digest))
    }

    /// Returns the size of a blob in bytes; `None` if it is not there.
    pub(super) async fn size(&self, digest: &Digest) -> Result<Option<u64>> {
        self.objects.size(&Foreign::name(digest)).await
    }

    /// Reads a blob; `None` if it is not there. Returns its size, and its content unless that has more than `most` bytes.
    pub(super) async fn content(&self, digest: &Digest, most: u64) -> Result<Option<(u64, Option<Bytes>)>> {
        let object = self.objects.read(&Foreign::name(digest), most).await?;
        Ok(object.map(|object| (object.size, object.content)))
    }

    /// Lists the names of all repositories in byte order, legal ones or not.
    pub(super) async fn repositories(&self) -> Result<Vec<String>> {
        let (mut found, mut open) = (Vec::new(), vec![String::new()]);
        while !open.is_empty() {
            let level: Vec<String> = open.drain(open.len().saturating_sub(REQUESTS)..).collect();
            for (prefix, names) in try_join_all(level.into_iter().map(|prefix| self.below(prefix))).await? {
                for name in names {
                    if name == "_manifests" {
                        found.push(prefix.trim_end_matches('/').to_owned());
                    } else if !name.starts_with('_') {
                        open.push(format!("{prefix}{name}/"));
                    }
                }
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Names with slashes are names below names.
    async fn below(&self, prefix: String) -> Result<(String, Vec<String>)> {
        let mut listing = self.objects.list(&format!("repositories/{prefix}"));
        let mut names = Vec::new();
        while let Some(page) = listing.next().await? {
            names.extend(page);
        }
        Ok((prefix, names))
    }

    /// Lists the hexadecimal parts of the digests of a repository's manifests, those that were deleted included.
    pub(super) fn revisions(&self, name: &RepositoryName, algorithm: &str) -> Listing {
        self.objects.list(&format!("repositories/{name}/_manifests/revisions/{algorithm}"))
    }

    /// Lists the algorithms of their digests.
    pub(super) fn algorithms(&self, name: &RepositoryName) -> Listing {
        self.objects.list(&format!("repositories/{name}/_manifests/revisions"))
    }

    /// Tells whether a repository holds a manifest.
    pub(super) async fn has_manifest(&self, name: &RepositoryName, digest: &Digest) -> Result<bool> {
        self.links(&format!("repositories/{name}/_manifests/revisions/{}/link", entry(digest)), digest).await
    }

    /// Tells whether a repository may read a blob.
    pub(super) async fn has_layer(&self, name: &RepositoryName, digest: &Digest) -> Result<bool> {
        self.links(&format!("repositories/{name}/_layers/{}/link", entry(digest)), digest).await
    }

    /// Lists the names of a repository's tags, legal ones or not, those that were deleted included.
    pub(super) fn tags(&self, name: &RepositoryName) -> Listing {
        self.objects.list(&format!("repositories/{name}/_manifests/tags"))
    }

    /// Returns what a tag points at, as the link says it, and since when.
    pub(super) async fn tag(&self, name: &RepositoryName, tag: &Tag) -> Result<Option<(String, Timestamp)>> {
        self.link(&format!("repositories/{name}/_manifests/tags/{}/current/link", tag.as_str())).await
    }

    async fn links(&self, link: &str, digest: &Digest) -> Result<bool> {
        Ok(self.link(link).await?.is_some_and(|(target, _)| target == digest.to_string()))
    }

    async fn link(&self, name: &str) -> Result<Option<(String, Timestamp)>> {
        let Some(object) = self.objects.read(name, LINK_BYTES).await? else { return Ok(None) };
        let at = Timestamp::try_from(object.modified).unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(object.content.map(|text| (String::from_utf8_lossy(&text).trim().to_owned(), at)))
    }
}

fn entry(digest: &Digest) -> String {
    format!("{}/{}", digest.algorithm().as_str(), digest.hex())
}
