//! Reads objects by their names below the prefix, of a bucket that another program laid out. Nothing here writes.

use std::{sync::Arc, time::Duration};

use object_store::{
    ObjectStoreExt as _,
    list::{PaginatedListOptions, PaginatedListStore as _},
};

use super::{Bucket, error::map, reader::BucketReader};
use crate::{BlobReader, Error, Result, foreign::Object};

/// Names per request at most, as services cap it.
const PAGE: usize = 1000;

impl Bucket {
    /// Opens an object for reading.
    pub(crate) async fn open_object(&self, name: &str) -> Result<Arc<dyn BlobReader>> {
        Ok(Arc::new(BucketReader::open(&self.0, self.0.keys.object(name)).await?))
    }

    /// Returns the size of an object in bytes; `None` if there is none.
    pub(crate) async fn object_size(&self, name: &str) -> Result<Option<u64>> {
        self.0.size(&self.0.keys.object(name)).await
    }

    /// Reads an object; `None` if there is none. One of more than `most` bytes comes without its content.
    pub(crate) async fn read_object(&self, name: &str, most: u64) -> Result<Option<Object>> {
        let doing = "read an object";
        let found = match self.0.store.get(&self.0.keys.object(name)).await {
            Ok(found) => found,
            Err(error) => match map(error, doing) {
                Error::NotFound => return Ok(None),
                error => return Err(error),
            },
        };
        let (size, modified) = (found.meta.size, found.meta.last_modified.into());
        if size > most {
            return Ok(Some(Object { size, modified, content: None }));
        }
        let content = found.bytes().await.map_err(|error| map(error, doing))?;
        Ok(Some(Object { size, modified, content: Some(content) }))
    }

    /// Lists the names one level below `below` under which objects lie, a page after the one that brought the token `page`,
    /// and the token of the next page.
    pub(crate) async fn names(
        &self,
        below: &str,
        page: Option<String>,
    ) -> Result<(Vec<String>, Option<String>)> {
        let prefix = format!("{}/", self.0.keys.object(below));
        let options = PaginatedListOptions {
            delimiter: Some("/".into()),
            max_keys: Some(PAGE),
            page_token: page,
            ..PaginatedListOptions::default()
        };
        let listed = self.0.store.list_paginated(Some(&prefix), options).await;
        let listed = listed.map_err(|error| map(error, "list the bucket"))?;
        let names = listed.result.common_prefixes.iter();
        let names = names.filter_map(|path| Some(path.filename()?.to_owned())).collect();
        Ok((names, listed.page_token))
    }

    /// Signs an address from which anybody may fetch an object for a while.
    pub(crate) async fn link_object(&self, name: &str, valid: Duration) -> Result<String> {
        self.0.sign(&self.0.keys.object(name), valid).await
    }
}
