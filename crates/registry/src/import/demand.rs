//! What a request asks for before the import has come to it.

use berth_catalog::imported;
use berth_oci::{Digest, Reference, RepositoryName};

use super::intake::Intake;
use super::layout::OldStore;
use super::place::place;
use super::repository::read_tag;
use crate::{Registry, Result};

impl Registry {
    /// Returns the other store if a repository may hold more there than is here. Without an import under way it costs one look
    /// at a name.
    async fn old_store_of(&self, name: &RepositoryName) -> Result<Option<OldStore>> {
        let Some(old) = self.0.import.store()? else { return Ok(None) };
        // What is only read is not taken in.
        if self.read_only().is_on() {
            return Ok(None);
        }
        let done = self.0.catalog.read(async |r| imported::is_done(r, name.as_str()).await).await?;
        Ok((!done).then_some(old))
    }

    /// Takes a manifest in, with what it needs and its tag, if the other store has it. Returns whether to look again.
    pub(crate) async fn demand_manifest(&self, name: &RepositoryName, wanted: &Reference) -> Result<bool> {
        let Some(old) = self.old_store_of(name).await? else { return Ok(false) };
        let tag = match wanted.tag() {
            Some(tag) => read_tag(&old, name, tag.as_str()).await?.and_then(std::result::Result::ok),
            None => None,
        };
        let digest = wanted.digest().copied().or(tag.as_ref().map(|tag| tag.digest));
        let Some(digest) = digest else { return Ok(false) };
        let mut intake = Intake::new(self, &old, name);
        if intake.take(vec![digest]).await? == 0 {
            return Ok(false);
        }
        intake.finish().await?;
        if let Some(tag) = tag {
            self.record_tags(name, vec![tag], old.source()).await?;
        }
        Ok(true)
    }

    /// Takes a blob in if the other store lets the repository read it. Returns whether to look again.
    pub(crate) async fn demand_blob(&self, name: &RepositoryName, digest: &Digest) -> Result<bool> {
        let Some(old) = self.old_store_of(name).await? else { return Ok(false) };
        if !old.has_layer(name, digest).await? {
            return Ok(false);
        }
        let placed = place(&old, digest, None, self.0.config.storage.inline_bytes).await?;
        let Ok((size, placement)) = placed else { return Ok(false) };
        self.record_blob(name, (*digest, size, placement), old.source()).await
    }

    /// Takes a repository in as a whole, before it is listed or something of it is deleted.
    pub(crate) async fn demand_repository(&self, name: &RepositoryName) -> Result<()> {
        if let Some(old) = self.old_store_of(name).await? {
            self.import_whole(&old, name).await?;
        }
        Ok(())
    }
}
