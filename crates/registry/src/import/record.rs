//! Units of work that make manifests, blobs and tags of the other store known here.
//!
//! Each asks first whether the repository is taken in as a whole: between the look at the other store and the unit another may have
//! done that, and what was deleted since must not come back.

use berth_access::{Actions, NewProject};
use berth_catalog::blob::{self, Placement};
use berth_catalog::repository::Repository;
use berth_catalog::{Tx, event, imported, manifest, repository, tag};
use berth_oci::{Digest, Manifest, RepositoryName, Tag};
use bytes::Bytes;
use jiff::Timestamp;

use super::CALLER;
use crate::project::Founder;
use crate::push::Order;
use crate::{Error, Registry, Result, new_event};

/// A manifest that can be taken in.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) digest: Digest,
    pub(super) manifest: Manifest,
    pub(super) content: Bytes,
    /// Blobs that are there: digest, size in bytes, place.
    pub(super) blobs: Vec<(Digest, u64, Placement)>,
}

/// A tag of the other store.
#[derive(Debug, Clone)]
pub(super) struct OldTag {
    pub(super) tag: Tag,
    pub(super) digest: Digest,
    /// When it was set.
    pub(super) at: Timestamp,
}

impl Registry {
    /// Takes manifests in, children first, with their blobs.
    pub(super) async fn record_manifests(
        &self,
        name: &RepositoryName,
        prepared: Vec<Prepared>,
        source: Option<&str>,
    ) -> Result<()> {
        let (name, now, source) = (name.clone(), self.now(), source.map(ToOwned::to_owned));
        let orders: Vec<_> = prepared
            .into_iter()
            .map(|mut prepared| (std::mem::take(&mut prepared.blobs), order(&name, prepared, now)))
            .collect();
        let unit = async move |tx: &mut Tx| {
            if !imported::is_open(tx, name.as_str(), source.as_deref()).await? {
                return Ok(());
            }
            let repository = founder().ensure(tx, &name, now).await?;
            for (blobs, order) in &orders {
                for (digest, size, placement) in blobs {
                    blob::insert(tx, &repository, digest, *size, Some(placement), now).await?;
                }
                order.carry_out(tx).await?;
            }
            Ok(())
        };
        self.0.catalog.write(unit).await
    }

    /// Takes one blob in that no manifest brought: it waits for review like one that was just pushed. Returns false if it is not there
    /// after that: it is known to be damaged where it lies.
    pub(super) async fn record_blob(
        &self,
        name: &RepositoryName,
        (digest, size, placement): (Digest, u64, Placement),
        source: Option<&str>,
    ) -> Result<bool> {
        let (name, now, source) = (name.clone(), self.now(), source.map(ToOwned::to_owned));
        let unit = async move |tx: &mut Tx| {
            if !imported::is_open(tx, name.as_str(), source.as_deref()).await? {
                return Ok::<_, Error>(true);
            }
            let repository = founder().ensure(tx, &name, now).await?;
            let inserted = blob::insert(tx, &repository, &digest, size, Some(&placement), now).await?;
            Ok(inserted != blob::Inserted::Missing)
        };
        self.0.catalog.write(unit).await
    }

    /// Sets tags that are not set here, where their manifests came in. Returns those whose manifest did not.
    pub(super) async fn record_tags(
        &self,
        name: &RepositoryName,
        tags: Vec<OldTag>,
        source: Option<&str>,
    ) -> Result<Vec<OldTag>> {
        let (name, now, source) = (name.clone(), self.now(), source.map(ToOwned::to_owned));
        let unit = async move |tx: &mut Tx| {
            let mut dangling = Vec::new();
            if !imported::is_open(tx, name.as_str(), source.as_deref()).await? {
                return Ok(dangling);
            }
            let repository = repository::find(tx, &name).await?;
            for old in &tags {
                let known = match &repository {
                    Some(repository) => set(tx, repository, old, now).await?,
                    None => false,
                };
                if !known {
                    dangling.push(old.clone());
                }
            }
            Ok(dangling)
        };
        self.0.catalog.write(unit).await
    }
}

/// Sets a tag unless it is set. Returns false if its manifest is not there.
async fn set(tx: &mut Tx, repository: &Repository, old: &OldTag, now: Timestamp) -> Result<bool> {
    let Some(target) = manifest::find_id(tx, repository, &old.digest).await? else { return Ok(false) };
    if tag::find(tx, repository, &old.tag).await?.is_none() {
        tag::move_to(tx, repository, &old.tag, target, old.at).await?;
        let mut event = new_event(event::Kind::TagMoved, now, CALLER);
        event.repository = Some(repository.name().clone());
        event.tag = Some(old.tag.clone());
        event.digest = Some(old.digest);
        event.detail = serde_json::json!({ "previous": null });
        event::append(tx, event).await;
    }
    Ok(true)
}

/// What the other registry has is here, whichever projects it lies in.
fn founder() -> Founder {
    Founder { caller: CALLER.to_owned(), logged: CALLER.to_owned(), may: NewProject::Granted }
}

fn order(name: &RepositoryName, prepared: Prepared, now: Timestamp) -> Order {
    Order {
        repository: name.clone(),
        author: CALLER.into(),
        granted: Actions::ALL,
        founder: founder(),
        now,
        // What the other registry took is taken; its missing blobs are listed, and may come later.
        index_depth: u64::MAX,
        sparse_images: true,
        manifest: prepared.manifest,
        digest: prepared.digest,
        content: prepared.content,
        tags: Vec::new(),
    }
}
