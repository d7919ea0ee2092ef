//! Takes manifests of one repository in, with what lies below them, and a bounded number of them in memory.

use std::collections::HashMap;

use berth_catalog::blob::Placement;
use berth_oci::{Descriptor, Digest, Manifest, ManifestLimits, RepositoryName};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};

use super::REQUESTS;
use super::layout::OldStore;
use super::place::{Placed, place};
use super::record::Prepared;
use crate::{Registry, Result};

/// Deepest nesting of indexes that is followed.
const DEEPEST: usize = 32;
/// Manifests in one unit of work.
const MANIFESTS: usize = 16;
/// Digests remembered: what is forgotten is read again.
const MOST_SEEN: usize = 1 << 16;
/// Bytes of small blobs that come along with one manifest; further ones stay where they are.
const INLINE_BYTES: usize = 16 << 20;
/// Most problems listed of one repository.
const MOST_PROBLEMS: usize = 1000;

/// Takes in manifests of one repository.
#[derive(Debug)]
pub(super) struct Intake<'a> {
    registry: &'a Registry,
    old: &'a OldStore,
    repository: &'a RepositoryName,
    /// What was looked at, and whether it came in.
    seen: HashMap<Digest, bool>,
    /// Manifests that were read and are not ready: what lies below them comes first.
    loaded: HashMap<Digest, (Manifest, Bytes)>,
    /// Manifests for the next unit of work, children before the indexes that list them.
    ready: Vec<Prepared>,
    /// Sizes of blobs that lie in the other store: most images share some.
    known: HashMap<Digest, (u64, Placement)>,
    /// What was refused or missing.
    pub(super) problems: Vec<String>,
}

/// What a look for a manifest found.
enum Found {
    Absent,
    Refused(String),
    Manifest(Box<Manifest>, Bytes),
}

impl<'a> Intake<'a> {
    pub(super) fn new(registry: &'a Registry, old: &'a OldStore, repository: &'a RepositoryName) -> Self {
        Self {
            registry,
            old,
            repository,
            seen: HashMap::new(),
            loaded: HashMap::new(),
            ready: Vec::new(),
            known: HashMap::new(),
            problems: Vec::new(),
        }
    }

    /// Takes in manifests, if the repository holds them, and those below them. Returns how many of them came in. The last ones wait
    /// for [`finish`](Self::finish).
    pub(super) async fn take(&mut self, digests: Vec<Digest>) -> Result<u64> {
        if self.seen.len() > MOST_SEEN {
            self.seen.clear();
        }
        self.take_at(digests.clone(), 0).await?;
        Ok(digests.iter().filter(|digest| self.seen.get(digest) == Some(&true)).count() as u64)
    }

    /// Takes in what was read last.
    pub(super) async fn finish(&mut self) -> Result<()> {
        let ready = std::mem::take(&mut self.ready);
        if ready.is_empty() {
            return Ok(());
        }
        self.registry.record_manifests(self.repository, ready, self.old.source()).await
    }

    /// Tells whether a manifest was looked at.
    pub(super) fn has_seen(&self, digest: &Digest) -> bool {
        self.seen.contains_key(digest)
    }

    /// Notes what was refused or missing.
    pub(super) fn complain(&mut self, problem: String) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(problem);
        }
    }

    /// Boxed, as is [`settle`](Self::settle): they call each other.
    fn take_at(&mut self, digests: Vec<Digest>, depth: usize) -> BoxFuture<'_, Result<()>> {
        async move {
            let new: Vec<Digest> = digests.into_iter().filter(|digest| self.is_new(digest)).collect();
            for some in new.chunks(REQUESTS) {
                for (digest, found) in self.load_all(some).await? {
                    match found {
                        Found::Absent => {}
                        Found::Refused(reason) => self.refuse(&digest, &reason),
                        Found::Manifest(manifest, content) => {
                            self.loaded.insert(digest, (*manifest, content));
                        }
                    }
                }
                for digest in some {
                    self.settle(*digest, depth).await?;
                }
            }
            Ok(())
        }
        .boxed()
    }

    async fn load_all(&self, digests: &[Digest]) -> Result<Vec<(Digest, Found)>> {
        let mut looks = Vec::new();
        for digest in digests {
            looks.push(load(self.registry, self.old, self.repository, *digest).boxed());
        }
        stream::iter(looks).buffer_unordered(REQUESTS).try_collect().await
    }

    fn is_new(&mut self, digest: &Digest) -> bool {
        let new = !self.seen.contains_key(digest);
        if new {
            self.seen.insert(*digest, false);
        }
        new
    }

    /// Makes a manifest that was read ready, after those below it. One that the repository does not hold is one of a sparse index.
    fn settle(&mut self, digest: Digest, depth: usize) -> BoxFuture<'_, Result<()>> {
        async move {
            let Some((manifest, content)) = self.loaded.remove(&digest) else { return Ok(()) };
            if depth > DEEPEST {
                self.refuse(&digest, "it lies too deep below other indexes");
                return Ok(());
            }
            let children: Vec<Digest> = manifest.children().iter().map(|child| child.digest).collect();
            for child in &children {
                self.settle(*child, depth + 1).await?;
            }
            self.take_at(children, depth + 1).await?;
            let blobs = self.place_all(&manifest, &digest).await?;
            self.ready.push(Prepared { digest, manifest, content, blobs });
            self.seen.insert(digest, true);
            if self.ready.len() >= MANIFESTS { self.finish().await } else { Ok(()) }
        }
        .boxed()
    }

    /// Finds where the blobs of a manifest lie.
    async fn place_all(
        &mut self,
        manifest: &Manifest,
        digest: &Digest,
    ) -> Result<Vec<(Digest, u64, Placement)>> {
        if self.known.len() > MOST_SEEN {
            self.known.clear();
        }
        let mut left = INLINE_BYTES;
        let mut looks = Vec::new();
        for descriptor in manifest.config.iter().chain(&manifest.layers) {
            let most = self.registry.0.config.storage.inline_bytes;
            let comes_along = usize::try_from(descriptor.size).is_ok_and(|size| size <= most.min(left));
            if comes_along {
                left -= usize::try_from(descriptor.size).unwrap_or(0);
            }
            let inline_bytes = if comes_along { most } else { 0 };
            let known = self.known.get(&descriptor.digest).cloned();
            looks.push(look(self.old, known, descriptor.clone(), inline_bytes).boxed());
        }
        let placed: Vec<(Descriptor, Placed)> = stream::iter(looks).buffered(REQUESTS).try_collect().await?;
        let mut blobs = Vec::new();
        for (descriptor, placed) in placed {
            match placed {
                Ok((size, placement)) => {
                    if matches!(placement, Placement::Stored(_)) {
                        self.known.insert(descriptor.digest, (size, placement.clone()));
                    }
                    blobs.push((descriptor.digest, size, placement));
                }
                Err(_) if descriptor.is_non_distributable() => {}
                Err(reason) => {
                    let blob = descriptor.digest;
                    self.complain(format!("{}@{digest}: its blob {blob} {reason}", self.repository));
                }
            }
        }
        Ok(blobs)
    }

    fn refuse(&mut self, digest: &Digest, reason: &str) {
        self.complain(format!("{}@{digest}: refused, {reason}", self.repository));
    }
}

/// Finds where a blob lies, unless that is known.
async fn look(
    old: &OldStore,
    known: Option<(u64, Placement)>,
    descriptor: Descriptor,
    inline_bytes: usize,
) -> Result<(Descriptor, Placed)> {
    let placed = match known {
        Some((size, placement)) if size == descriptor.size => Ok((size, placement)),
        _ => place(old, &descriptor.digest, Some(descriptor.size), inline_bytes).await?,
    };
    Ok((descriptor, placed))
}

/// Reads a manifest, if the repository holds it.
async fn load(
    registry: &Registry,
    old: &OldStore,
    repository: &RepositoryName,
    digest: Digest,
) -> Result<(Digest, Found)> {
    Ok((digest, find(registry, old, repository, &digest).await?))
}

async fn find(
    registry: &Registry,
    old: &OldStore,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Found> {
    // A revision that was deleted leaves its directory, without the link.
    if !old.has_manifest(repository, digest).await? {
        return Ok(Found::Absent);
    }
    let limits = &registry.0.config.limits;
    let content = match old.content(digest, limits.manifest_bytes as u64).await? {
        None => return Ok(Found::Refused("its bytes are missing".to_owned())),
        Some((_, None)) => {
            let limit = limits.manifest_bytes;
            let reason = format!("it is larger than {limit} bytes: raise limits.manifest_bytes");
            return Ok(Found::Refused(reason));
        }
        Some((_, Some(content))) => content,
    };
    if Digest::of(digest.algorithm(), &content) != *digest {
        return Ok(Found::Refused("its bytes do not match its digest".to_owned()));
    }
    let within = ManifestLimits { descriptors: limits.manifest_entries };
    Ok(match Manifest::parse_within(&content, None, &within) {
        Ok(manifest) => Found::Manifest(Box::new(manifest), content),
        Err(error) => Found::Refused(error.to_string()),
    })
}
