//! Finds what uploads left that nobody remembers, and removes it: for a scrub.
//!
//! An upload's head names what there is of it, but two nodes that change it at once may lose an entry, and a node may die
//! between making something and noting it. So here the bucket itself is asked.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use object_store::{ObjectMeta, path::Path};

use super::{
    Inner,
    keys::{self, first_location},
};
use crate::{Result, UploadId};

impl Inner {
    /// Lists uploads that have objects of their own, or parts that were not joined.
    pub(super) async fn scan_uploads(
        &self,
        after: Option<&UploadId>,
        limit: usize,
    ) -> Result<Vec<(UploadId, Timestamp)>> {
        let mut found = BTreeMap::new();
        let mut offset = after.map(|after| self.keys.behind_upload(after));
        let mut more = true;
        // One more, so that all objects of the others were seen.
        while more && found.len() <= limit {
            let objects;
            (objects, more) = self.list_page(&self.keys.uploads(), offset.as_ref(), usize::MAX).await?;
            let Some(last) = objects.last() else { break };
            offset = Some(last.location.clone());
            for object in &objects {
                if let Some(upload) = self.keys.upload(&object.location) {
                    note(&mut found, upload, time(object));
                }
            }
        }
        let last = if more { found.last_key_value().map(|(last, _)| *last) } else { None };
        for multipart in self.multiparts(&self.keys.blobs()).await? {
            if let Some(upload) = self.keys.location(&multipart.key).as_ref().and_then(keys::upload_of)
                && after.is_none_or(|after| upload > *after)
                && last.is_none_or(|last| upload <= last)
            {
                note(&mut found, upload, multipart.initiated);
            }
        }
        Ok(found.into_iter().take(limit).collect())
    }

    /// Removes everything of an upload but what was published.
    pub(super) async fn sweep(&self, upload: &UploadId) -> Result<()> {
        self.discard(upload).await?;
        let prefix = self.keys.blob(&first_location(upload));
        let parts = self.multiparts(prefix.as_ref()).await?;
        try_join_all(parts.iter().map(|part| self.abort_multipart(&part.key, &part.id))).await?;
        loop {
            let (objects, more) = self.list_page(&self.keys.upload_prefix(upload), None, usize::MAX).await?;
            let keys: Vec<Path> = objects.into_iter().map(|object| object.location).collect();
            try_join_all(keys.iter().map(|key| self.delete_object(key))).await?;
            if !more || keys.is_empty() {
                return Ok(());
            }
        }
    }
}

/// Keeps the latest time.
fn note(found: &mut BTreeMap<UploadId, Timestamp>, upload: UploadId, at: Timestamp) {
    let latest = found.entry(upload).or_insert(at);
    *latest = at.max(*latest);
}

/// Returns when an object was written; the end of time if that can't be.
fn time(object: &ObjectMeta) -> Timestamp {
    Timestamp::from_second(object.last_modified.timestamp()).unwrap_or(Timestamp::MAX)
}
