//! One tag: what it points at, all below, what refers to it, and at last the tag itself.

use berth_catalog::manifest;
use berth_oci::{Digest, Reference, Tag};

use super::fault::Fault;
use super::tree::Tree;
use super::{Pulling, Source};

impl Pulling {
    /// Takes a tag in, unless it is here with all that belongs to it.
    pub(super) async fn take_tag(&self, source: &Source, tag: &Tag) -> Result<(), Fault> {
        self.take_tag_within(source, tag, 0).await
    }

    pub(super) async fn take_tag_within(&self, source: &Source, tag: &Tag, depth: u32) -> Result<(), Fault> {
        self.check_stop()?;
        let Some(digest) = self.upstream.resolve(&source.from, tag).await? else {
            return Err(Fault::Refused("the tag is gone, or points at nothing".to_owned()));
        };
        let before = self.tag_here(source, tag).await?;
        let mut tree = Tree::default();
        let root = self.take_below(source, digest, &mut tree, 0).await?;
        let root =
            root.ok_or_else(|| Fault::Refused(format!("the registry does not have its manifest {digest}")))?;
        let referred = self.take_referrers(source, &tree.manifests, depth).await?;
        let moved = before != Some(digest);
        if (moved || !root.is_here) && !self.order.dry_run {
            self.push(source, &root, std::slice::from_ref(tag)).await?;
        }
        self.tally(|report| {
            report.manifests += u64::from(!root.is_here);
            if moved {
                report.tags += 1;
            } else if root.is_here && !tree.brought && !referred {
                report.same += 1;
            }
        });
        Ok(())
    }

    async fn tag_here(&self, source: &Source, tag: &Tag) -> Result<Option<Digest>, Fault> {
        let reference = Reference::from(tag.clone());
        let found =
            self.registry.0.catalog.read(async |r| manifest::find(r, &source.to, &reference).await).await?;
        Ok(found.map(|found| found.digest))
    }
}
