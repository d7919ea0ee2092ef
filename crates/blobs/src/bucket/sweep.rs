//! Finds what uploads left that nobody remembers, and removes it: for a scrub.
//!
//! An upload's head names what there is of it, but two nodes that change it at once may lose an entry, and a node may die
//! between making something and noting it. So here the bucket itself is asked.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;
use object_store::path::Path;

use super::{
    Inner,
    keys::{self, first_location},
    multiparts::Multipart,
};
use crate::{Result, UploadId};

impl Inner {
    /// Lists uploads that have objects of their own, or parts that were not joined.
    pub(super) async fn scan_uploads(&self, after: Option<&UploadId>, limit: usize) -> Result<Vec<UploadId>> {
        let mut found = BTreeSet::new();
        let mut offset = after.map(|after| self.keys.behind_upload(after));
        while found.len() < limit {
            let (keys, more) = self.list_page(&self.keys.uploads(), offset.as_ref(), limit).await?;
            let Some(last) = keys.last() else { break };
            found.extend(keys.iter().filter_map(|key| self.keys.upload(&key.location)));
            // Of the last upload there may be more: it is found already.
            offset = Some(match self.keys.upload(&last.location) {
                Some(upload) => self.keys.behind_upload(&upload),
                None => last.location.clone(),
            });
            if !more {
                break;
            }
        }
        let whole = found.len() < limit;
        found.extend(self.unjoined(after, if whole { None } else { found.last().copied() }).await?);
        Ok(found.into_iter().take(limit).collect())
    }

    /// Lists uploads with parts that were not joined, between two others.
    async fn unjoined(&self, after: Option<&UploadId>, last: Option<UploadId>) -> Result<Vec<UploadId>> {
        let parts = self.multiparts(&self.keys.blobs()).await?;
        let uploads = parts.iter().filter_map(|multipart| self.upload_of(multipart));
        let is_asked_for = |found: &UploadId| {
            after.is_none_or(|after| found > after) && last.is_none_or(|last| *found <= last)
        };
        Ok(uploads.filter(is_asked_for).collect())
    }

    fn upload_of(&self, multipart: &Multipart) -> Option<UploadId> {
        keys::upload_of(&self.keys.location(&multipart.key)?)
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
