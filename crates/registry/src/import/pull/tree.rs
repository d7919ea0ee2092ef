//! A manifest and all below it: children and blobs first.

use berth_catalog::manifest;
use berth_oci::{Digest, Manifest, ManifestLimits, Reference, Tag};
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::fault::Fault;
use super::{Pulling, Source};

/// Deepest nesting that is followed, whatever the limits allow.
const DEEPEST: u64 = 32;

/// A manifest, here or just fetched.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) digest: Digest,
    pub(super) media_type: Option<String>,
    pub(super) content: Bytes,
    pub(super) is_here: bool,
}

/// What was met on the way down.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// All manifests, the root too.
    pub(super) manifests: Vec<Digest>,
    /// Whether something below the root was not here.
    pub(super) brought: bool,
}

impl Pulling {
    /// Takes everything below a manifest in, and returns the manifest, which the caller has to push; `None` if the other registry does
    /// not have it.
    pub(super) fn take_below<'a>(
        &'a self,
        source: &'a Source,
        digest: Digest,
        tree: &'a mut Tree,
        depth: u64,
    ) -> BoxFuture<'a, Result<Option<Document>, Fault>> {
        async move {
            self.check_stop()?;
            if depth > DEEPEST {
                return Err(Fault::Refused(format!("indexes are nested deeper than {DEEPEST}")));
            }
            let Some(document) = self.document(source, digest).await? else { return Ok(None) };
            tree.manifests.push(digest);
            let limits = ManifestLimits { descriptors: self.registry.config().limits.manifest_entries };
            let parsed = Manifest::parse_within(&document.content, document.media_type.as_deref(), &limits)
                .map_err(|error| Fault::Registry(error.into()))?;
            for child in parsed.children() {
                // A list may name one manifest several times.
                if !tree.manifests.contains(&child.digest) {
                    self.take_child(source, &document, child.digest, tree, depth).await?;
                }
            }
            tree.brought |= self.take_blobs(source, &parsed).await?;
            Ok(Some(document))
        }
        .boxed()
    }

    async fn take_child(
        &self,
        source: &Source,
        parent: &Document,
        digest: Digest,
        tree: &mut Tree,
        depth: u64,
    ) -> Result<(), Fault> {
        match self.take_below(source, digest, tree, depth + 1).await? {
            Some(child) => tree.brought |= self.push_below(source, &child).await?,
            // An index may lack children, and stays as it is.
            None => self.tally(|report| {
                report.note(format!(
                    "{}@{}: the registry lacks {digest} of this index",
                    source.from, parent.digest
                ));
            }),
        }
        Ok(())
    }

    /// Pushes a manifest that no tag names, unless it is here. Returns whether it came.
    pub(super) async fn push_below(&self, source: &Source, document: &Document) -> Result<bool, Fault> {
        if document.is_here {
            return Ok(false);
        }
        if !self.order.dry_run {
            self.push(source, document, &[]).await?;
        }
        self.tally(|report| report.manifests += 1);
        Ok(true)
    }

    pub(super) async fn push(&self, source: &Source, document: &Document, tags: &[Tag]) -> Result<(), Fault> {
        let reference = Reference::from(document.digest);
        let (media_type, content) = (document.media_type.as_deref(), document.content.clone());
        self.registry.push_manifest(&source.push, &reference, tags, media_type, content).await?;
        Ok(())
    }

    /// Finds a manifest here, else there.
    async fn document(&self, source: &Source, digest: Digest) -> Result<Option<Document>, Fault> {
        let reference = Reference::from(digest);
        let here =
            self.registry.0.catalog.read(async |r| manifest::find(r, &source.to, &reference).await).await?;
        if let Some(here) = here {
            return Ok(Some(Document {
                digest,
                media_type: Some(here.media_type.to_string()),
                content: here.content,
                is_here: true,
            }));
        }
        let fetched = self.upstream.manifest(&source.from, &reference).await?;
        Ok(fetched.map(|fetched| Document {
            digest,
            media_type: fetched.media_type,
            content: fetched.content,
            is_here: false,
        }))
    }
}
