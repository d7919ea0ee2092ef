//! Sends parts side by side, with bounded memory.

use std::{io::ErrorKind, sync::Arc};

use object_store::{PutPayload, multipart::MultipartStore as _, path::Path};
use tokio::{
    sync::{OnceCell, OwnedSemaphorePermit, Semaphore},
    task::{JoinError, JoinSet},
};

use super::{
    Inner,
    error::map,
    keys,
    marker::Attempt,
    plan::{MOST_PARTS, Plan},
};
use crate::{Error, Result, UploadId};

/// Memory for parts on their way is counted in this many bytes.
const SPARE_UNIT: usize = 1 << 20;

/// Is an upload in parts. Dropped, it sends no more.
#[derive(Debug)]
pub(super) struct Parts {
    inner: Arc<Inner>,
    upload: UploadId,
    /// Empty until the first part starts it: more can come in meanwhile.
    attempt: Arc<OnceCell<Attempt>>,
    /// Entity tags of the parts that are there.
    tags: Vec<Option<String>>,
    flights: JoinSet<Result<(usize, String)>>,
}

impl Parts {
    /// Begins an attempt that its first part starts.
    pub(super) fn new(inner: &Arc<Inner>, upload: &UploadId) -> Self {
        let attempt = Arc::new(OnceCell::new());
        Self { inner: Arc::clone(inner), upload: *upload, attempt, tags: Vec::new(), flights: JoinSet::new() }
    }

    /// Goes on behind the parts that are there.
    pub(super) fn resume(inner: &Arc<Inner>, upload: &UploadId, attempt: Attempt, tags: Vec<String>) -> Self {
        let tags = tags.into_iter().map(Some).collect();
        Self { attempt: Arc::new(OnceCell::new_with(Some(attempt))), tags, ..Self::new(inner, upload) }
    }

    /// Returns the attempt; `None` if no part has started it.
    pub(super) fn attempt(&self) -> Option<Attempt> {
        self.attempt.get().cloned()
    }

    /// Returns the number of the next part, from 0.
    pub(super) fn next(&self) -> usize {
        self.tags.len()
    }

    /// Sends the next part, once there is room for it among those on their way.
    pub(super) async fn send(&mut self, bytes: PutPayload, plan: Plan) -> Result<()> {
        let index = self.tags.len();
        check(index, plan)?;
        let permit = self.make_room(bytes.content_length()).await?;
        self.tags.push(None);
        let (inner, upload, attempt) = (Arc::clone(&self.inner), self.upload, Arc::clone(&self.attempt));
        self.flights.spawn(async move {
            let attempt = attempt.get_or_try_init(|| inner.start_parts(&upload)).await?;
            let (key, multipart) = (inner.keys.blob(&attempt.location), multipart(attempt));
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
    async fn make_room(&mut self, bytes: usize) -> Result<Option<OwnedSemaphorePermit>> {
        let units = u32::try_from(bytes.div_ceil(SPARE_UNIT)).unwrap_or(u32::MAX);
        while let Some(landed) = self.flights.try_join_next() {
            self.land(landed)?;
        }
        while !self.flights.is_empty() {
            if self.flights.len() < self.inner.parts_in_flight
                && let Ok(permit) = Arc::clone(&self.inner.spare).try_acquire_many_owned(units)
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

/// Returns permits for this many bytes of parts, see [`Parts::send`].
pub(super) fn spare(bytes: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(bytes / SPARE_UNIT))
}

/// Refuses a part that no service would join.
fn check(index: usize, plan: Plan) -> Result<()> {
    if index < MOST_PARTS {
        return Ok(());
    }
    Err(Error::Io(
        ErrorKind::InvalidInput.into(),
        format!(
            "a blob has more than {MOST_PARTS} parts, or {} bytes: raise storage.bucket.part_bytes",
            plan.largest_blob()
        ),
    ))
}

/// Returns the service's name for an attempt's parts.
pub(super) fn multipart(attempt: &Attempt) -> String {
    attempt.multipart.clone().unwrap_or_default()
}

impl Inner {
    /// Starts an attempt in parts, and records it.
    async fn start_parts(&self, upload: &UploadId) -> Result<Attempt> {
        let location = keys::new_location(upload);
        let key = self.keys.blob(&location);
        let (multipart, head) = tokio::join!(self.store.create_multipart(&key), self.read_head(upload));
        let multipart = multipart.map_err(|error| map(error, "start an upload in parts"))?;
        let attempt = Attempt { location, multipart: Some(multipart) };
        let mut head = head?.unwrap_or_default();
        head.attempts.push(attempt.clone());
        self.write_head(upload, &head).await?;
        Ok(attempt)
    }

    /// Sends a part and returns its entity tag.
    ///
    /// # Errors
    /// [`Error::UploadBusy`] when the parts were joined or given up: another node is at work on the upload.
    pub(super) async fn put_part(
        &self,
        key: &Path,
        multipart: &String,
        index: usize,
        bytes: PutPayload,
    ) -> Result<String> {
        match self.store.put_part(key, multipart, index, bytes).await {
            Ok(part) => Ok(part.content_id),
            Err(error) => Err(match map(error, "send a part") {
                Error::NotFound => Error::UploadBusy,
                error => error,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_of_too_many_parts_is_refused_with_advice() {
        let plan = Plan::new(16 << 20);
        check(MOST_PARTS - 1, plan).unwrap();
        let refused = check(MOST_PARTS, plan).unwrap_err().to_string();
        assert!(refused.contains("raise storage.bucket.part_bytes"), "{refused}");
    }
}
