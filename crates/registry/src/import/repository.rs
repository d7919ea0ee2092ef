//! Takes in one repository as a whole.

use std::io;

use berth_catalog::imported::{self, Imported};
use berth_oci::{Digest, RepositoryName, Tag};

use super::layout::OldStore;
use super::prepare::{Prepared, Preparer};
use super::record::OldTag;
use crate::{Error, Registry, Result};

/// Manifests in one unit of work.
const MANIFESTS: usize = 16;
/// Tags in one unit of work.
const TAGS: usize = 256;
/// Most problems listed of one repository.
const MOST_PROBLEMS: usize = 1000;

/// What one repository of the other store holds.
struct Contents {
    prepared: Vec<Prepared>,
    tags: Vec<OldTag>,
    problems: Vec<String>,
}

impl Registry {
    /// Takes a repository in as a whole and notes that; from then on nothing of it is looked up in the other store.
    ///
    /// One at a time: who comes while it is under way finds it done.
    pub(super) async fn import_whole(&self, old: &OldStore, name: &RepositoryName) -> Result<()> {
        let _turn = self.0.import.turn.lock().await;
        if self.0.catalog.read(async |r| imported::is_done(r, name.as_str()).await).await? {
            return Ok(());
        }
        let Contents { mut prepared, mut tags, mut problems } = {
            let (old, name, config) = (old.clone(), name.clone(), self.0.config.clone());
            blocking(move || contents(&old, &name, &config)).await?
        };
        let (manifests, mut set) = (prepared.len() as u64, tags.len() as u64);
        while !prepared.is_empty() {
            let rest = prepared.split_off(prepared.len().min(MANIFESTS));
            self.record_manifests(name, std::mem::replace(&mut prepared, rest)).await?;
        }
        while !tags.is_empty() {
            let rest = tags.split_off(tags.len().min(TAGS));
            let dangling = self.record_tags(name, std::mem::replace(&mut tags, rest)).await?;
            set -= dangling.len() as u64;
            problems.extend(dangling.iter().map(|tag| {
                format!("{name}:{}: refused, the manifest it points at did not come in", tag.as_str())
            }));
        }
        for problem in &problems {
            tracing::warn!(problem, "imported with a problem");
        }
        problems.truncate(MOST_PROBLEMS);
        self.note(Imported { repository: name.to_string(), manifests, tags: set, problems }).await
    }

    /// Notes a repository that was taken in, or can't be.
    pub(super) async fn note(&self, imported: Imported) -> Result<()> {
        let now = self.now();
        Ok(self.0.catalog.write(async move |tx| imported::insert(tx, &imported, now).await).await?)
    }
}

fn contents(old: &OldStore, name: &RepositoryName, config: &crate::Config) -> io::Result<Contents> {
    let mut reading = Preparer::new(old, name, config);
    for digest in old.revisions(name)? {
        reading.read(&digest)?;
    }
    let (prepared, mut problems) = (reading.prepared, reading.problems);
    let mut tags = Vec::new();
    for text in old.tags(name)? {
        match read_tag(old, name, &text)? {
            Some(Ok(tag)) => tags.push(tag),
            Some(Err(reason)) => problems.push(format!("{name}:{text}: refused, {reason}")),
            // A tag that was deleted leaves its directory, without the link.
            None => {}
        }
    }
    Ok(Contents { prepared, tags, problems })
}

pub(super) fn read_tag(
    old: &OldStore,
    name: &RepositoryName,
    text: &str,
) -> io::Result<Option<Result<OldTag, String>>> {
    let Ok(tag) = text.parse::<Tag>() else { return Ok(Some(Err("that is no legal tag".to_owned()))) };
    let Some((target, at)) = old.tag(name, &tag)? else { return Ok(None) };
    Ok(Some(match target.parse::<Digest>() {
        Ok(digest) => Ok(OldTag { tag, digest, at }),
        Err(_) => Err("its link holds no digest".to_owned()),
    }))
}

/// Reads the other store on a pool thread.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(ended) => ended.map_err(|error| Error::Internal(error.into())),
        Err(error) => Err(Error::Internal(error.into())),
    }
}
