//! What refers to manifests: by the referrers API where the other registry has it, by tags that tools agreed on (distribution-spec, "Referrers
//! Tag Schema", and cosign's) where not.

use berth_oci::{Digest, Tag};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::fault::Fault;
use super::tree::Tree;
use super::{Pulling, Source};

/// Signatures of bills of materials of images, and then some.
const DEEPEST: u32 = 4;
/// What follows the digest in such a tag: nothing for a list of referrers, the rest is cosign's.
const ENDS: [&str; 4] = ["", ".sig", ".att", ".sbom"];

impl Pulling {
    /// Takes in what refers to these manifests. Returns whether something came.
    pub(super) fn take_referrers<'a>(
        &'a self,
        source: &'a Source,
        subjects: &'a [Digest],
        depth: u32,
    ) -> BoxFuture<'a, Result<bool, Fault>> {
        async move {
            let mut brought = false;
            if depth >= DEEPEST {
                return Ok(false);
            }
            for subject in subjects {
                for referrer in self.upstream.referrers(&source.from, subject).await?.unwrap_or_default() {
                    brought |= self.take_referrer(source, referrer, depth).await?;
                }
                // Where all tags are taken, these are among them.
                if self.selection.picks_tags() {
                    for tag in companions(source, subject) {
                        let wanted = self.selection.wants_tag(&source.from, tag.as_str());
                        if !wanted && !self.selection.excludes_tag(&source.from, tag.as_str()) {
                            self.take_tag_within(source, &tag, depth + 1).await?;
                        }
                    }
                }
            }
            Ok(brought)
        }
        .boxed()
    }

    async fn take_referrer(&self, source: &Source, referrer: Digest, depth: u32) -> Result<bool, Fault> {
        let mut tree = Tree::default();
        // Listed and gone: it was deleted meanwhile.
        let Some(document) = self.take_below(source, referrer, &mut tree, 0).await? else { return Ok(false) };
        let further = self.take_referrers(source, &tree.manifests, depth + 1).await?;
        let came = self.push_below(source, &document).await?;
        self.tally(|report| report.referrers += u64::from(came));
        Ok(came || further || tree.brought)
    }
}

/// Finds the tags that stand for what refers to a manifest.
fn companions(source: &Source, subject: &Digest) -> Vec<Tag> {
    let begin = format!("{}-{}", subject.algorithm(), subject.hex());
    // A SHA-512 digest is longer than a tag may be; the specification cuts it off.
    let begin = begin.get(..96).unwrap_or(&begin);
    let names = ENDS.iter().map(|end| format!("{begin}{end}"));
    names.filter(|name| source.tags.contains(name)).filter_map(|name| name.parse().ok()).collect()
}
