//! Lists published blobs for a scrub: the only place that lists.

use object_store::list::{PaginatedListOptions, PaginatedListStore as _};

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
            let options = PaginatedListOptions {
                offset: offset.as_ref().map(ToString::to_string),
                max_keys: Some((limit - found.len()).min(PAGE)),
                ..PaginatedListOptions::default()
            };
            let page = self
                .store
                .list_paginated(Some(&prefix), options)
                .await
                .map_err(|error| map(error, "list the bucket"))?;
            let objects = page.result.objects;
            let Some(last) = objects.last() else { break };
            offset = Some(last.location.clone());
            found.extend(
                objects
                    .iter()
                    .filter_map(|object| Some((self.keys.location(&object.location)?, object.size))),
            );
            if page.page_token.is_none() {
                break;
            }
        }
        Ok(found)
    }
}
