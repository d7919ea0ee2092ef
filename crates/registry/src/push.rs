//! Push of manifests: the bytes as they came, the blobs they keep, the tags that move to them.

use std::collections::BTreeSet;

use berth_access::{Action, Actions, Permit, Push};
use berth_catalog::blob::BlobId;
use berth_catalog::manifest::{New, Referrer};
use berth_catalog::repository::Repository;
use berth_catalog::{Tx, event, link, manifest, tag};
use berth_oci::{Algorithm, Descriptor, Digest, Manifest, ManifestLimits, Reference, RepositoryName, Tag};
use bytes::Bytes;
use jiff::Timestamp;

use crate::project::Founder;
use crate::{Error, Registry, Result, new_event};

/// What a push of a manifest did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedManifest {
    /// Digest of the bytes pushed.
    pub digest: Digest,
    /// What the manifest refers to.
    pub subject: Option<Digest>,
    /// Tags that point at it now, in the order they were asked for.
    pub tags: Vec<Tag>,
}

/// Everything a unit of work needs to push one manifest.
pub(crate) struct Order {
    pub(crate) repository: RepositoryName,
    pub(crate) author: event::Author,
    /// What the caller may do here: whether this push makes or changes something shows in its transaction.
    pub(crate) granted: Actions,
    pub(crate) founder: Founder,
    pub(crate) now: Timestamp,
    pub(crate) index_depth: u64,
    pub(crate) sparse_images: bool,
    pub(crate) manifest: Manifest,
    pub(crate) digest: Digest,
    pub(crate) content: Bytes,
    pub(crate) tags: Vec<Tag>,
}

impl Registry {
    /// Pushes a manifest under a tag or its digest, and points further `tags` at it.
    ///
    /// `media_type` is the request's Content-Type; without it the document decides.
    pub async fn push_manifest(
        &self,
        permit: &Permit<Push>,
        reference: &Reference,
        tags: &[Tag],
        media_type: Option<&str>,
        content: Bytes,
    ) -> Result<PushedManifest> {
        // The body may have taken longer than the permit held.
        self.check_writable()?;
        let limits = &self.0.config.limits;
        if content.len() > limits.manifest_bytes {
            return Err(Error::ManifestTooLarge { limit: limits.manifest_bytes });
        }
        let digest = checked_digest(reference, &content)?;
        let within = ManifestLimits { descriptors: limits.manifest_entries };
        let manifest = Manifest::parse_within(&content, media_type, &within)?;
        let mut all: Vec<Tag> = reference.tag().into_iter().cloned().collect();
        for tag in tags {
            if !all.contains(tag) {
                all.push(tag.clone());
            }
        }
        let pushed = PushedManifest {
            digest,
            subject: manifest.subject.as_ref().map(|subject| subject.digest),
            tags: all.clone(),
        };
        let order = Order {
            repository: permit.repository().clone(),
            author: permit.caller().author(),
            granted: permit.granted(),
            founder: Founder::of(permit),
            now: self.now(),
            index_depth: limits.index_depth,
            sparse_images: limits.sparse_images,
            manifest,
            digest,
            content,
            tags: all,
        };
        self.0.catalog.write(async move |tx| order.carry_out(tx).await).await?;
        Ok(pushed)
    }
}

/// Tells whether a tag stands for what is attached to a manifest: `sha256-HEX.sig`, as cosign names it, or `sha256-HEX`, where clients keep
/// the list of referrers by themselves (distribution-spec, "Referrers Tag Schema"), as notation does unless told not to.
fn is_signature(tag: &Tag) -> bool {
    let Some(rest) = tag.as_str().strip_prefix("sha256-") else { return false };
    let (hex, kind) = rest.split_once('.').unwrap_or((rest, ""));
    let is_digest = hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_digest && (rest.len() == 64 || matches!(kind, "sig" | "att" | "sbom"))
}

/// Computes the digest with the algorithm that the reference asks for, and compares.
fn checked_digest(reference: &Reference, content: &[u8]) -> Result<Digest> {
    let given = reference.digest();
    let computed = Digest::of(given.map_or(Algorithm::Sha256, Digest::algorithm), content);
    match given {
        Some(&given) if given != computed => Err(Error::DigestMismatch { given, computed }),
        _ => Ok(computed),
    }
}

impl Order {
    pub(crate) async fn carry_out(&self, tx: &mut Tx) -> Result<()> {
        let repository = self.founder.ensure(tx, &self.repository, self.now).await?;
        let (blobs, missing) = self.find_blobs(tx, &repository).await?;
        let depth = self.depth(tx, &repository).await?;
        let new = New {
            digest: self.digest,
            media_type: self.manifest.media_type.clone(),
            referrer: self.referrer()?,
            content: self.content.clone(),
            blobs,
            missing,
            depth,
            children: self.manifest.children().iter().map(|child| child.digest).collect(),
        };
        let (id, is_new) = manifest::insert(tx, &repository, &new, self.now).await?;
        if is_new {
            self.demand_new()?;
            event::append(tx, self.event(event::Kind::ManifestPushed)).await;
        }
        for tag in &self.tags {
            self.move_tag(tx, &repository, tag, id).await?;
        }
        Ok(())
    }

    async fn move_tag(
        &self,
        tx: &mut Tx,
        repository: &Repository,
        tag: &Tag,
        target: manifest::ManifestId,
    ) -> Result<()> {
        let before = tag::move_to(tx, repository, tag, target, self.now).await?;
        if before != Some(self.digest) {
            self.demand(if before.is_some() { Action::Update } else { Action::Create }, Some(tag))?;
            let mut event = self.event(event::Kind::TagMoved);
            event.tag = Some(tag.clone());
            event.detail = serde_json::json!({ "previous": before });
            event::append(tx, event).await;
        }
        Ok(())
    }

    /// Asks for the right to bring a manifest that was not there.
    fn demand_new(&self) -> Result<()> {
        // Who may move tags has to bring what they shall point at.
        let moves = !self.tags.is_empty() && self.granted.has(Action::Update);
        if moves { Ok(()) } else { self.demand(Action::Create, None) }
    }

    /// Asks for the right to make or change a tag, or to make a manifest. A signature asks for less: a manifest that refers to another,
    /// or a tag of the form that stands for one.
    fn demand(&self, action: Action, tag: Option<&Tag>) -> Result<()> {
        let signs =
            tag.map_or(self.manifest.subject.is_some() || self.tags.iter().any(is_signature), is_signature);
        if self.granted.has(action) || (signs && self.granted.has(Action::Sign)) {
            return Ok(());
        }
        // By the name the caller knows, not by the one that logs know.
        let (caller, repository) = (self.founder.caller.clone(), self.repository.clone());
        Err(Error::NotGranted { caller, action, repository, tag: tag.cloned() })
    }

    /// Finds the rows of the blobs that the manifest keeps, and the digests of those that are not there.
    /// A layer that may not be distributed need not be there; if it is, or comes later, it is kept like any other.
    async fn find_blobs(&self, tx: &Tx, repository: &Repository) -> Result<(Vec<BlobId>, Vec<Digest>)> {
        let descriptors = || self.manifest.config.iter().chain(&self.manifest.layers);
        let digests: BTreeSet<Digest> = descriptors().map(|descriptor| descriptor.digest).collect();
        let digests: Vec<Digest> = digests.into_iter().collect();
        let known = link::find_all(tx, repository, &digests).await?;
        let (mut absent, mut missing) = (Vec::new(), Vec::new());
        for descriptor in descriptors().filter(|descriptor| !known.contains_key(&descriptor.digest)) {
            let may_lack = descriptor.is_non_distributable() || self.sparse_images;
            let lacking = if may_lack { &mut absent } else { &mut missing };
            if !lacking.contains(&descriptor.digest) {
                lacking.push(descriptor.digest);
            }
        }
        if missing.is_empty() {
            return Ok((known.into_values().collect(), absent));
        }
        Err(Error::ManifestBlobsUnknown { repository: self.repository.clone(), digests: missing })
    }

    /// Counts the levels of manifests below and including this one, by what is there of its children.
    async fn depth(&self, tx: &Tx, repository: &Repository) -> Result<u64> {
        let mut depth = 1;
        for child in self.manifest.children() {
            if let Some(below) = manifest::find_depth(tx, repository, &child.digest).await? {
                depth = depth.max(below.saturating_add(1));
            }
        }
        if depth > self.index_depth.saturating_add(1) {
            return Err(Error::IndexTooDeep { limit: self.index_depth });
        }
        Ok(depth)
    }

    fn referrer(&self) -> Result<Option<Referrer>> {
        let Some(subject) = &self.manifest.subject else { return Ok(None) };
        let mut descriptor =
            Descriptor::new(self.manifest.media_type.clone(), self.digest, self.content.len() as u64);
        descriptor.artifact_type.clone_from(&self.manifest.artifact_type);
        descriptor.annotations.clone_from(&self.manifest.annotations);
        let descriptor = serde_json::to_string(&descriptor).map_err(|error| Error::Internal(error.into()))?;
        Ok(Some(Referrer {
            subject: subject.digest,
            artifact_type: self.manifest.artifact_type.clone(),
            descriptor,
        }))
    }

    fn event(&self, kind: event::Kind) -> event::NewEvent {
        let mut event = new_event(kind, self.now, self.author.clone());
        event.repository = Some(self.repository.clone());
        event.digest = Some(self.digest);
        event.detail = serde_json::json!({
            "media_type": self.manifest.media_type,
            "size": self.content.len(),
        });
        event
    }
}
