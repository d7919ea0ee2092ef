//! Makes blobs of uploads: the last part, then one request that joins them all where they stay.
//!
//! The answer to that request may be lost, and so may the process be. Whoever finds the parts joined already reads what lies
//! there and compares it with the digest: a blob that came to be twice is the same blob, and another node's is none of ours.

use futures_util::StreamExt as _;
use object_store::{
    ObjectStoreExt as _, PutPayload,
    multipart::{MultipartStore as _, PartId},
};

use berth_oci::Digest;

use super::{
    Inner,
    error::{lost_parts, map},
    keys::{self, first_location},
    marker::Attempt,
    parts::multipart,
};
use crate::{Error, Hasher, Location, Result, UploadId};

/// How far this node has brought an upload whose session hasn't ended yet.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    Sealed(Sealed),
    Published {
        location: Location,
        /// Whether the bucket holds nothing else of the upload.
        alone: bool,
    },
}

/// Is an upload that is complete but for its last request.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    pub(super) attempt: Option<Attempt>,
    pub(super) parts: Vec<String>,
    pub(super) tail: PutPayload,
}

impl Inner {
    pub(super) async fn publish(&self, upload: &UploadId, digest: &Digest) -> Result<Location> {
        let stage = self.stages.lock().get(upload).cloned();
        let sealed = match stage {
            Some(Stage::Published { location, .. }) => return Ok(location),
            Some(Stage::Sealed(sealed)) => sealed,
            None => self.recall(upload).await?,
        };
        let (location, alone) = match &sealed.attempt {
            Some(attempt) => (self.join(attempt, &sealed, digest).await?, false),
            None => self.store_whole(upload, sealed.tail.clone(), digest).await?,
        };
        self.stages.lock().insert(*upload, Stage::Published { location: location.clone(), alone });
        Ok(location)
    }

    /// Forgets a publication whose bytes are gone: nothing else of the upload counts as of no use for it.
    pub(super) fn unpublish(&self, location: &Location) {
        if let Some(upload) = keys::upload_of(location) {
            let mut stages = self.stages.lock();
            if matches!(stages.get(&upload), Some(Stage::Published { location: published, .. }) if published == location)
            {
                stages.remove(&upload);
            }
        }
    }

    /// Reads the state that was written last, for an upload that was finished and not sealed here.
    async fn recall(&self, upload: &UploadId) -> Result<Sealed> {
        let head = self.read_head(upload).await?;
        let current = head.and_then(|head| head.current).ok_or(Error::UploadLost)?;
        let state = self.read_state(upload, &current).await?;
        Ok(Sealed { attempt: state.attempt, parts: state.parts, tail: state.tail.into() })
    }

    /// Writes a blob that is smaller than a part, and says whether that is all there is of the upload.
    async fn store_whole(
        &self,
        upload: &UploadId,
        payload: PutPayload,
        digest: &Digest,
    ) -> Result<(Location, bool)> {
        let doing = "write a blob";
        let location = first_location(upload);
        let key = self.keys.blob(&location);
        let (created, head) =
            tokio::join!(self.create_object(&key, payload.clone(), doing), self.read_head(upload));
        if created? || self.holds(&location, digest).await? {
            return Ok((location, head?.is_none()));
        }
        let location = keys::new_location(upload);
        let attempt = Attempt { location: location.clone(), multipart: None };
        self.change_head(upload, |head| head.attempts.push(attempt)).await?;
        self.write_object(&self.keys.blob(&location), payload, doing).await?;
        Ok((location, false))
    }

    async fn join(&self, attempt: &Attempt, sealed: &Sealed, digest: &Digest) -> Result<Location> {
        let (key, multipart) = (self.keys.blob(&attempt.location), multipart(attempt));
        let mut tags = sealed.parts.clone();
        if sealed.tail.content_length() > 0 {
            match self.put_part(&key, &multipart, tags.len(), sealed.tail.clone()).await {
                Ok(tag) => tags.push(tag),
                Err(Error::UploadBusy) => return self.check_joined(attempt, digest).await,
                Err(error) => return Err(error),
            }
        }
        let parts = tags.into_iter().map(|content_id| PartId { content_id }).collect();
        match self.store.complete_multipart(&key, &multipart, parts).await {
            Ok(_) => Ok(attempt.location.clone()),
            Err(error) if lost_parts(&error) => Err(Error::UploadLost),
            Err(error) => match map(error, "join the parts of a blob") {
                Error::NotFound => self.check_joined(attempt, digest).await,
                error => Err(error),
            },
        }
    }

    /// Accepts parts that are gone if what they were joined to is this blob.
    async fn check_joined(&self, attempt: &Attempt, digest: &Digest) -> Result<Location> {
        match self.holds(&attempt.location, digest).await {
            Ok(true) => Ok(attempt.location.clone()),
            Ok(false) => Err(Error::UploadBusy),
            Err(Error::NotFound) => Err(Error::UploadLost),
            Err(error) => Err(error),
        }
    }

    /// Reads what lies at a location, and compares.
    async fn holds(&self, location: &Location, digest: &Digest) -> Result<bool> {
        let doing = "compare a blob";
        let key = self.keys.blob(location);
        let object = self.store.get(&key).await.map_err(|error| map(error, doing))?;
        let mut stream = object.into_stream();
        let mut hasher = Hasher::new(digest.algorithm());
        while let Some(chunk) = stream.next().await {
            hasher.update(&chunk.map_err(|error| map(error, doing))?);
        }
        Ok(hasher.finish() == *digest)
    }
}
