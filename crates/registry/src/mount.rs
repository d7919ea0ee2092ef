//! Mount: a blob of one repository becomes readable in another without being sent again.

use berth_access::{Permit, Pull, Push};
use berth_catalog::{blob, repository};
use berth_oci::{Digest, RepositoryName};

use crate::project::Founder;
use crate::{Registry, Result};

/// Sources looked at when the client names none.
const SOURCES: usize = 64;

impl Registry {
    /// Mounts a blob from the source's repository. Returns false if it is not there: an upload must bring it.
    pub async fn mount_blob(
        &self,
        permit: &Permit<Push>,
        source: &Permit<Pull>,
        digest: &Digest,
    ) -> Result<bool> {
        Ok(self.try_mount(permit, source, digest).await?
            || (self.demand_blob(source.repository(), digest).await?
                && self.try_mount(permit, source, digest).await?))
    }

    async fn try_mount(&self, permit: &Permit<Push>, source: &Permit<Pull>, digest: &Digest) -> Result<bool> {
        let founder = Founder::of(permit);
        let (target, source, digest, now) =
            (permit.repository().clone(), source.repository().clone(), *digest, self.now());
        self.0
            .catalog
            .write(async move |tx| {
                // Looked up in the unit of work: the source may be deleted at this moment.
                let Some(found) = blob::find(tx, &source, &digest).await? else { return Ok(false) };
                let repository = founder.ensure(tx, &target, now).await?;
                let inserted = blob::insert(tx, &repository, &digest, found.size, None, now).await?;
                Ok(inserted == blob::Inserted::Known)
            })
            .await
    }

    /// Mounts a blob from any repository that `readable` gives a permit for.
    pub async fn mount_blob_from_any(
        &self,
        permit: &Permit<Push>,
        readable: impl Fn(&RepositoryName) -> Option<Permit<Pull>> + Send,
        digest: &Digest,
    ) -> Result<bool> {
        let text = digest.to_string();
        let sources =
            self.0.catalog.read(async |r| repository::list_linking(r, &text, SOURCES).await).await?;
        let permits: Vec<_> = sources.iter().filter_map(readable).collect();
        for source in &permits {
            if self.mount_blob(permit, source, digest).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
