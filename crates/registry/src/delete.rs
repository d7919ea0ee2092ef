//! Delete: what a client asks to go. Bytes go later, when the collector is sure.

use berth_access::{Delete, Permit};
use berth_catalog::{Tx, event, link, manifest, repository, tag};
use berth_oci::{Digest, Reference, RepositoryName, Tag};
use jiff::Timestamp;

use crate::{Error, Registry, Result, new_event};

/// Who deletes what where, for the events.
struct Deletion {
    repository: RepositoryName,
    author: event::Author,
    now: Timestamp,
}

impl Registry {
    /// Deletes a tag; the manifest stays.
    pub async fn delete_tag(&self, permit: &Permit<Delete>, tag: &Tag) -> Result<()> {
        self.demand_repository(permit.repository()).await?;
        self.check_writable()?;
        let (deletion, tag) = (self.deletion(permit), tag.clone());
        self.0.catalog.write(async move |tx| deletion.delete_tag(tx, &tag).await).await
    }

    /// Deletes a manifest and every tag that points at it.
    pub async fn delete_manifest(&self, permit: &Permit<Delete>, digest: &Digest) -> Result<()> {
        self.demand_repository(permit.repository()).await?;
        self.check_writable()?;
        let (deletion, digest) = (self.deletion(permit), *digest);
        self.0.catalog.write(async move |tx| deletion.delete_manifest(tx, &digest).await).await?;
        self.0.catalog.forgotten().await;
        Ok(())
    }

    /// Deletes a blob from the repository. A blob that a manifest there names stays.
    pub async fn delete_blob(&self, permit: &Permit<Delete>, digest: &Digest) -> Result<()> {
        self.demand_repository(permit.repository()).await?;
        self.check_writable()?;
        let (deletion, digest) = (self.deletion(permit), *digest);
        self.0.catalog.write(async move |tx| deletion.delete_blob(tx, &digest).await).await?;
        self.0.catalog.forgotten().await;
        Ok(())
    }

    fn deletion(&self, permit: &Permit<Delete>) -> Deletion {
        Deletion {
            repository: permit.repository().clone(),
            author: permit.caller().author(),
            now: self.now(),
        }
    }
}

impl Deletion {
    async fn delete_tag(&self, tx: &mut Tx, tag: &Tag) -> Result<()> {
        let unknown = || self.manifest_unknown(tag.clone().into());
        let repository = repository::find(tx, &self.repository).await?.ok_or_else(unknown)?;
        let digest = tag::delete(tx, &repository, tag, self.now).await?.ok_or_else(unknown)?;
        self.append(tx, event::Kind::TagDeleted, Some(tag.clone()), digest).await;
        Ok(())
    }

    async fn delete_manifest(&self, tx: &mut Tx, digest: &Digest) -> Result<()> {
        let unknown = || self.manifest_unknown((*digest).into());
        let repository = repository::find(tx, &self.repository).await?.ok_or_else(unknown)?;
        let id = manifest::find_id(tx, &repository, digest).await?.ok_or_else(unknown)?;
        for tag in tag::delete_of(tx, &repository, id).await? {
            self.append(tx, event::Kind::TagDeleted, Some(tag), *digest).await;
        }
        manifest::delete(tx, &repository, id, self.now).await?;
        self.append(tx, event::Kind::ManifestDeleted, None, *digest).await;
        Ok(())
    }

    async fn delete_blob(&self, tx: &mut Tx, digest: &Digest) -> Result<()> {
        let unknown = || Error::BlobUnknown { repository: self.repository.clone(), digest: *digest };
        let repository = repository::find(tx, &self.repository).await?.ok_or_else(unknown)?;
        let (blob, _) = link::find(tx, &repository, digest).await?.ok_or_else(unknown)?;
        if link::is_needed(tx, &repository, blob).await? {
            return Err(Error::BlobInUse { repository: self.repository.clone(), digest: *digest });
        }
        link::delete(tx, &repository, blob, self.now).await?;
        self.append(tx, event::Kind::BlobDeleted, None, *digest).await;
        Ok(())
    }

    fn manifest_unknown(&self, reference: Reference) -> Error {
        Error::ManifestUnknown { repository: self.repository.clone(), reference }
    }

    async fn append(&self, tx: &mut Tx, kind: event::Kind, tag: Option<Tag>, digest: Digest) {
        let mut event = new_event(kind, self.now, self.author.clone());
        event.repository = Some(self.repository.clone());
        event.tag = tag;
        event.digest = Some(digest);
        event::append(tx, event).await;
    }
}
