//! Sends parts side by side, with bounded memory.

use std::{io::ErrorKind, sync::Arc};

use bytes::Bytes;
use object_store::{multipart::MultipartStore as _, path::Path};
use tokio::{
    sync::OwnedSemaphorePermit,
    task::{JoinError, JoinSet},
};

use super::{Inner, error::map, keys, marker::Attempt};
use crate::{Error, Result, UploadId};

/// The most parts that services join.
const MOST_PARTS: usize = 10_000;

/// Is an upload in parts. Dropped, it sends no more.
#[derive(Debug)]
pub(super) struct Parts {
    inner: Arc<Inner>,
    pub(super) attempt: Attempt,
    /// Entity tags of the parts that are there.
    tags: Vec<Option<String>>,
    flights: JoinSet<Result<(usize, String)>>,
}

impl Parts {
    /// Starts an attempt in parts, and records it.
    pub(super) async fn start(inner: &Arc<Inner>, upload: &UploadId) -> Result<Self> {
        let location = keys::new_location(upload);
        let key = inner.keys.blob(&location);
        let multipart = inner
            .store
            .create_multipart(&key)
            .await
            .map_err(|error| map(error, "start an upload in parts"))?;
        let attempt = Attempt { location, multipart: Some(multipart) };
        inner.change_head(upload, |head| head.attempts.push(attempt.clone())).await?;
        Ok(Self::resume(inner, attempt, Vec::new()))
    }

    /// Goes on behind the parts that are there.
    pub(super) fn resume(inner: &Arc<Inner>, attempt: Attempt, tags: Vec<String>) -> Self {
        let tags = tags.into_iter().map(Some).collect();
        Self { inner: Arc::clone(inner), attempt, tags, flights: JoinSet::new() }
    }

    /// Sends the next part, once there is room for it among those on their way.
    pub(super) async fn send(&mut self, bytes: Bytes) -> Result<()> {
        let index = self.tags.len();
        if index >= MOST_PARTS {
            return Err(Error::Io(
                ErrorKind::InvalidInput.into(),
                format!("a blob has more than {MOST_PARTS} parts: raise storage.bucket.part_bytes"),
            ));
        }
        let permit = self.make_room().await?;
        self.tags.push(None);
        let inner = Arc::clone(&self.inner);
        let (key, multipart) = (inner.keys.blob(&self.attempt.location), multipart(&self.attempt));
        self.flights.spawn(async move {
            let tag = inner.put_part(&key, &multipart, index, bytes).await?;
            drop(permit);
            Ok((index, tag))
        });
        Ok(())
    }

    /// Waits until nothing is on its way, and returns the tags of all parts.
    pub(super) async fn settle(&mut self) -> Result<Vec<String>> {
        while let Some(landed) = self.flights.join_next().await {
            self.land(landed)?;
        }
        Ok(self.tags.iter().flatten().cloned().collect())
    }

    /// Waits until another part may start: the first at once, others as memory allows.
    async fn make_room(&mut self) -> Result<Option<OwnedSemaphorePermit>> {
        while let Some(landed) = self.flights.try_join_next() {
            self.land(landed)?;
        }
        while !self.flights.is_empty() {
            if self.flights.len() < self.inner.parts_in_flight
                && let Ok(permit) = Arc::clone(&self.inner.spare_parts).try_acquire_owned()
            {
                return Ok(Some(permit));
            }
            if let Some(landed) = self.flights.join_next().await {
                self.land(landed)?;
            }
        }
        Ok(None)
    }

    fn land(&mut self, landed: Result<Result<(usize, String)>, JoinError>) -> Result<()> {
        let landed =
            landed.map_err(|error| Error::Io(error.into(), "the task of a part ended early".into()))?;
        let (index, tag) = landed?;
        if let Some(place) = self.tags.get_mut(index) {
            *place = Some(tag);
        }
        Ok(())
    }
}

/// Returns the service's name for an attempt's parts.
pub(super) fn multipart(attempt: &Attempt) -> String {
    attempt.multipart.clone().unwrap_or_default()
}

impl Inner {
    /// Sends a part and returns its entity tag.
    ///
    /// # Errors
    /// [`Error::UploadBusy`] when the parts were joined or given up: another node is at work on the upload.
    pub(super) async fn put_part(
        &self,
        key: &Path,
        multipart: &String,
        index: usize,
        bytes: Bytes,
    ) -> Result<String> {
        match self.store.put_part(key, multipart, index, bytes.into()).await {
            Ok(part) => Ok(part.content_id),
            Err(error) => Err(match map(error, "send a part") {
                Error::NotFound => Error::UploadBusy,
                error => error,
            }),
        }
    }
}
