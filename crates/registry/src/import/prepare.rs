//! Reads manifests of the other store and finds where their blobs lie, before anything is written.

use std::collections::HashSet;
use std::io;

use berth_blobs::Foreign;
use berth_catalog::blob::Placement;
use berth_oci::{Algorithm, Descriptor, Digest, Manifest, ManifestLimits, RepositoryName};
use bytes::Bytes;

use super::layout::OldStore;
use crate::Config;

/// Deepest nesting of indexes that is followed.
const DEEPEST: usize = 32;

/// A manifest that can be taken in.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) digest: Digest,
    pub(super) manifest: Manifest,
    pub(super) content: Bytes,
    /// Blobs that are there: digest, size in bytes, place.
    pub(super) blobs: Vec<(Digest, u64, Placement)>,
}

/// Reads manifests of one repository, each once. Its methods block.
#[derive(Debug)]
pub(super) struct Preparer<'a> {
    old: &'a OldStore,
    repository: &'a RepositoryName,
    limits: ManifestLimits,
    manifest_bytes: usize,
    inline_bytes: usize,
    seen: HashSet<Digest>,
    /// Manifests, children before the indexes that list them.
    pub(super) prepared: Vec<Prepared>,
    /// What was refused or missing.
    pub(super) problems: Vec<String>,
}

impl<'a> Preparer<'a> {
    pub(super) fn new(old: &'a OldStore, repository: &'a RepositoryName, config: &Config) -> Self {
        Self {
            old,
            repository,
            limits: ManifestLimits { descriptors: config.limits.manifest_entries },
            manifest_bytes: config.limits.manifest_bytes,
            inline_bytes: config.storage.inline_bytes,
            seen: HashSet::new(),
            prepared: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Reads a manifest that the repository holds, and those below it.
    pub(super) fn read(&mut self, digest: &Digest) -> io::Result<()> {
        self.read_at(digest, 0)
    }

    fn read_at(&mut self, digest: &Digest, depth: usize) -> io::Result<()> {
        if !self.seen.insert(*digest) {
            return Ok(());
        }
        if depth > DEEPEST {
            self.refuse(digest, "it lies too deep below other indexes");
            return Ok(());
        }
        let Some((manifest, content)) = self.parse(digest)? else { return Ok(()) };
        for child in manifest.children() {
            // A child that the repository does not hold is one of a sparse index.
            if self.old.has_manifest(self.repository, &child.digest)? {
                self.read_at(&child.digest, depth + 1)?;
            }
        }
        let mut blobs = Vec::new();
        for descriptor in manifest.config.iter().chain(&manifest.layers) {
            match self.place(descriptor)? {
                Ok(placement) => blobs.push((descriptor.digest, descriptor.size, placement)),
                Err(_) if descriptor.is_non_distributable() => {}
                Err(reason) => {
                    let repository = self.repository;
                    let (blob, lacking) = (descriptor.digest, digest);
                    self.problems.push(format!("{repository}@{lacking}: its blob {blob} {reason}"));
                }
            }
        }
        self.prepared.push(Prepared { digest: *digest, manifest, content, blobs });
        Ok(())
    }

    fn parse(&mut self, digest: &Digest) -> io::Result<Option<(Manifest, Bytes)>> {
        match self.old.size(digest)? {
            None => {
                self.refuse(digest, "its bytes are missing");
                return Ok(None);
            }
            Some(size) if size > self.manifest_bytes as u64 => {
                let limit = self.manifest_bytes;
                self.refuse(digest, &format!("it is larger than {limit} bytes: raise limits.manifest_bytes"));
                return Ok(None);
            }
            Some(_) => {}
        }
        let content = Bytes::from(self.old.content(digest)?.unwrap_or_default());
        if Digest::of(digest.algorithm(), &content) != *digest {
            self.refuse(digest, "its bytes do not match its digest");
            return Ok(None);
        }
        match Manifest::parse_within(&content, None, &self.limits) {
            Ok(manifest) => Ok(Some((manifest, content))),
            Err(error) => {
                self.refuse(digest, &error.to_string());
                Ok(None)
            }
        }
    }

    fn refuse(&mut self, digest: &Digest, reason: &str) {
        self.problems.push(format!("{}@{digest}: refused, {reason}", self.repository));
    }

    /// Finds where a blob lies: a small one comes along, compared with its digest.
    fn place(&self, descriptor: &Descriptor) -> io::Result<Result<Placement, String>> {
        place(self.old, &descriptor.digest, Some(descriptor.size), self.inline_bytes)
    }
}

/// Finds where a blob lies, or says why it counts as missing. `size` is what its descriptor says, if there is one.
pub(super) fn place(
    old: &OldStore,
    digest: &Digest,
    size: Option<u64>,
    inline_bytes: usize,
) -> io::Result<Result<Placement, String>> {
    let Some(found) = old.size(digest)? else { return Ok(Err("is missing".to_owned())) };
    if let Some(size) = size.filter(|size| *size != found) {
        return Ok(Err(format!("has {found} bytes where {size} are due")));
    }
    if found == 0 && *digest != Digest::of(Algorithm::Sha256, b"") {
        return Ok(Err("has no bytes".to_owned()));
    }
    if found > inline_bytes as u64 {
        return Ok(Ok(Placement::Stored(Foreign::location(digest).into())));
    }
    let content = Bytes::from(old.content(digest)?.unwrap_or_default());
    if Digest::of(digest.algorithm(), &content) != *digest {
        return Ok(Err("does not match its digest".to_owned()));
    }
    Ok(Ok(Placement::Inline(content)))
}
