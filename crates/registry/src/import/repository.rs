//! Takes in one repository as a whole, page by page: no repository is ever in memory as a whole.

use berth_catalog::imported::{self, Imported};
use berth_oci::{Digest, RepositoryName, Tag};
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};

use super::REQUESTS;
use super::intake::Intake;
use super::layout::OldStore;
use super::record::OldTag;
use crate::{Error, Registry, Result};

/// Tags in one unit of work.
const TAGS: usize = 256;

impl Registry {
    /// Takes a repository in as a whole and notes that; from then on nothing of it is looked up in the other store.
    ///
    /// Once at a time on this node: who comes while it is under way finds it done.
    pub(super) async fn import_whole(&self, old: &OldStore, name: &RepositoryName) -> Result<()> {
        let _turn = match self.0.import.turn(name) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        if self.0.catalog.read(async |r| imported::is_done(r, name.as_str()).await).await? {
            return Ok(());
        }
        let mut intake = Intake::new(self, old, name);
        let manifests = self.import_manifests(old, name, &mut intake).await?;
        let tags = self.import_tags(old, name, &mut intake).await?;
        if !old.is_whole().await? {
            return Err(gone());
        }
        for problem in &intake.problems {
            tracing::warn!(problem, "imported with a problem");
        }
        let problems = intake.problems;
        let imported = Imported { repository: name.to_string(), manifests, tags, problems };
        self.note(imported, old.source()).await
    }

    async fn import_manifests(
        &self,
        old: &OldStore,
        name: &RepositoryName,
        intake: &mut Intake<'_>,
    ) -> Result<u64> {
        let (mut manifests, mut algorithms) = (0, old.algorithms(name));
        while let Some(page) = algorithms.next().await? {
            for algorithm in page {
                let mut revisions = old.revisions(name, &algorithm);
                while let Some(page) = revisions.next().await? {
                    let digests = page.iter().filter_map(|hex| format!("{algorithm}:{hex}").parse().ok());
                    manifests += intake.take(digests.collect()).await?;
                }
            }
        }
        intake.finish().await?;
        Ok(manifests)
    }

    async fn import_tags(
        &self,
        old: &OldStore,
        name: &RepositoryName,
        intake: &mut Intake<'_>,
    ) -> Result<u64> {
        let (mut set, mut listing) = (0, old.tags(name));
        while let Some(page) = listing.next().await? {
            for texts in page.chunks(TAGS) {
                let mut looks = Vec::new();
                for text in texts {
                    looks.push(read_named(old, name, text).boxed());
                }
                let looked: Vec<_> = stream::iter(looks).buffered(REQUESTS).try_collect().await?;
                let mut tags = Vec::new();
                for (text, read) in looked {
                    match read {
                        Some(Ok(tag)) => tags.push(tag),
                        Some(Err(reason)) => intake.complain(format!("{name}:{text}: refused, {reason}")),
                        // A tag that was deleted leaves its directory, without the link.
                        None => {}
                    }
                }
                set += self.set_tags(old, name, tags, intake).await?;
            }
        }
        Ok(set)
    }

    /// Sets tags; returns how many are set.
    async fn set_tags(
        &self,
        old: &OldStore,
        name: &RepositoryName,
        tags: Vec<OldTag>,
        intake: &mut Intake<'_>,
    ) -> Result<u64> {
        let all = tags.len() as u64;
        let mut dangling = self.record_tags(name, tags, old.source()).await?;
        // Pushed there since its manifests were listed.
        let late: Vec<Digest> =
            dangling.iter().map(|tag| tag.digest).filter(|digest| !intake.has_seen(digest)).collect();
        if !late.is_empty() {
            intake.take(late).await?;
            intake.finish().await?;
            dangling = self.record_tags(name, dangling, old.source()).await?;
        }
        for tag in &dangling {
            let tag = tag.tag.as_str();
            intake.complain(format!("{name}:{tag}: refused, the manifest it points at did not come in"));
        }
        Ok(all - dangling.len() as u64)
    }

    /// Notes a repository that was taken in, or can't be.
    pub(super) async fn note(&self, imported: Imported, source: Option<&str>) -> Result<()> {
        let (now, source) = (self.now(), source.map(ToOwned::to_owned));
        let unit = async move |tx: &mut berth_catalog::Tx| {
            if imported::is_open(tx, &imported.repository, source.as_deref()).await? {
                imported::insert(tx, &imported, now).await?;
            }
            Ok::<_, Error>(())
        };
        self.0.catalog.write(unit).await
    }
}

/// Says that the other store is not there, which says nothing about what lies in it.
pub(super) fn gone() -> Error {
    Error::Unavailable("nothing lies where the other registry's store was: mount it".into())
}

async fn read_named<'a>(
    old: &OldStore,
    name: &RepositoryName,
    text: &'a str,
) -> Result<(&'a str, Option<Result<OldTag, String>>)> {
    Ok((text, read_tag(old, name, text).await?))
}

pub(super) async fn read_tag(
    old: &OldStore,
    name: &RepositoryName,
    text: &str,
) -> Result<Option<Result<OldTag, String>>> {
    let Ok(tag) = text.parse::<Tag>() else { return Ok(Some(Err("that is no legal tag".to_owned()))) };
    let Some((target, at)) = old.tag(name, &tag).await? else { return Ok(None) };
    Ok(Some(match target.parse::<Digest>() {
        Ok(digest) => Ok(OldTag { tag, digest, at }),
        Err(_) => Err("its link holds no digest".to_owned()),
    }))
}
