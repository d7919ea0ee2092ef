//! Listings: tags, repositories, referrers, one page at a time.

use berth_access::{CatalogPermit, Permit, Pull};
use berth_catalog::{manifest, repository, tag};
use berth_oci::{Descriptor, Digest, RepositoryName, Tag};

use crate::{Error, Page, Registry, Result};

impl<T> Page<T> {
    /// Cuts a list that was asked for with one item more than a page holds.
    fn cut(mut items: Vec<T>, n: usize) -> Self {
        let more = items.len() > n;
        items.truncate(n);
        Self { items, more: more && n > 0 }
    }
}

impl Registry {
    /// Lists tags in byte order after `after`.
    pub async fn list_tags(&self, permit: &Permit<Pull>, after: Option<&str>, n: usize) -> Result<Page<Tag>> {
        let name = permit.repository();
        self.demand_repository(name).await?;
        let after = after.unwrap_or("");
        let catalog = &self.0.catalog;
        let listed = catalog.list(async |r| {
            let tags = tag::list(r, name, after, n + 1).await?;
            let is_known = !tags.is_empty() || repository::find(r, name).await?.is_some();
            Ok::<_, berth_catalog::Error>(is_known.then_some(tags))
        });
        let tags = listed.await?.ok_or_else(|| Error::NameUnknown(name.clone()))?;
        Ok(Page::cut(tags, n))
    }

    /// Lists the repositories that the caller may know of, in byte order after `after`.
    pub async fn list_repositories(
        &self,
        permit: &CatalogPermit,
        after: Option<&str>,
        n: usize,
    ) -> Result<Page<RepositoryName>> {
        let mut visible: Vec<RepositoryName> = Vec::new();
        let mut last = after.unwrap_or("").to_owned();
        loop {
            let names = self.0.catalog.list(async |r| repository::list(r, &last, n + 1).await).await?;
            let end = names.len() <= n;
            if let Some(name) = names.last() {
                name.as_str().clone_into(&mut last);
            }
            visible.extend(names.into_iter().filter(|name| permit.allows(name)));
            if end || visible.len() > n {
                return Ok(Page::cut(visible, n));
            }
        }
    }

    /// Lists the manifests that refer to `subject`, in digest order after `after`, if asked only of one artifact type.
    ///
    /// A page is no larger than a manifest may be, so it may be shorter than `n`.
    pub async fn list_referrers(
        &self,
        permit: &Permit<Pull>,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
        n: usize,
    ) -> Result<Page<Descriptor>> {
        self.demand_repository(permit.repository()).await?;
        let after = after.map_or_else(String::new, ToString::to_string);
        let (name, bytes) = (permit.repository(), self.0.config.limits.manifest_bytes);
        let (listed, more) = self
            .0
            .catalog
            .list(async |r| manifest::list_referrers(r, name, subject, artifact_type, &after, n, bytes).await)
            .await?;
        let items = listed
            .iter()
            .map(|json| serde_json::from_str(json).map_err(|error| Error::Internal(error.into())))
            .collect::<Result<Vec<_>>>()?;
        Ok(Page { items, more: more && n > 0 })
    }
}
