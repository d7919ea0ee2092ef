//! Lists objects, for a scrub.

use object_store::{
    ObjectMeta,
    list::{PaginatedListOptions, PaginatedListStore as _},
    path::Path,
};

use super::{Inner, error::map};
use crate::{Location, Result};

/// Objects per request at most, as services cap it.
const PAGE: usize = 1000;

impl Inner {
    /// Lists blobs behind `after` in the order of their locations.
    pub(super) async fn scan(&self, after: Option<&Location>, limit: usize) -> Result<Vec<(Location, u64)>> {
        let prefix = self.keys.blobs();
        let mut offset = after.map(|after| self.keys.checked_blob(after)).transpose()?;
        let mut found = Vec::new();
        while found.len() < limit {
            let (objects, more) = self.list_page(&prefix, offset.as_ref(), limit - found.len()).await?;
            let Some(last) = objects.last() else { break };
            offset = Some(last.location.clone());
            found.extend(
                objects
                    .iter()
                    .filter_map(|object| Some((self.keys.location(&object.location)?, object.size))),
            );
            if !more {
                break;
            }
        }
        Ok(found)
    }

    /// Lists up to `limit` objects of a prefix behind a key, and tells whether there may be more.
    pub(super) async fn list_page(
        &self,
        prefix: &str,
        after: Option<&Path>,
        limit: usize,
    ) -> Result<(Vec<ObjectMeta>, bool)> {
        let options = PaginatedListOptions {
            offset: after.map(ToString::to_string),
            max_keys: Some(limit.min(PAGE)),
            ..PaginatedListOptions::default()
        };
        let page = self
            .store
            .list_paginated(Some(prefix), options)
            .await
            .map_err(|error| map(error, "list the bucket"))?;
        Ok((page.result.objects, page.page_token.is_some()))
    }
}
