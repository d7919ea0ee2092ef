//! Finds what uploads left, by name, and removes it.

use futures_util::future::try_join_all;
use object_store::{multipart::MultipartStore as _, path::Path};

use super::{
    Inner,
    error::map,
    keys::first_location,
    marker::{Attempt, Head},
    publish::Stage,
};
use crate::{Error, Leftover, Location, Result, UploadId};

impl Inner {
    /// Tells what an upload left, the first of its locations where bytes lie.
    pub(super) async fn leftover(&self, upload: &UploadId) -> Result<Option<Leftover>> {
        let head = self.read_head(upload).await?;
        let known = head.is_some();
        for location in locations(upload, &head.unwrap_or_default()) {
            if self.size(&self.keys.blob(&location)).await?.is_some() {
                return Ok(Some(Leftover { upload: *upload, location: Some(location) }));
            }
        }
        Ok(known.then_some(Leftover { upload: *upload, location: None }))
    }

    /// Removes what an upload left: its states and parts. Of bytes that lie at its locations only those go that this node
    /// knows to be of no use: it has published the upload elsewhere.
    pub(super) async fn discard(&self, upload: &UploadId) -> Result<()> {
        let stage = self.stages.lock().get(upload).cloned();
        let published = match stage {
            Some(Stage::Published { location, alone: false }) => Some(location),
            Some(Stage::Published { alone: true, .. }) => {
                self.stages.lock().remove(upload);
                return Ok(());
            }
            Some(Stage::Sealed(_)) | None => None,
        };
        if let Some(head) = self.read_head(upload).await? {
            let others = head.attempts.iter().filter(|attempt| Some(&attempt.location) != published.as_ref());
            try_join_all(others.map(|attempt| self.abort(attempt))).await?;
            if published.is_some() {
                let others = locations(upload, &head).filter(|location| Some(location) != published.as_ref());
                let keys: Vec<_> = others.map(|location| self.keys.blob(&location)).collect();
                try_join_all(keys.iter().map(|key| self.delete_object(key))).await?;
            }
            let states: Vec<_> = head.states.iter().map(|state| self.keys.state(upload, state)).collect();
            try_join_all(states.iter().map(|key| self.delete_object(key))).await?;
            // Last: until then another try finds the rest.
            self.delete_object(&self.keys.head(upload)).await?;
        }
        self.stages.lock().remove(upload);
        Ok(())
    }

    /// Gives up the parts of an attempt, if there are any.
    async fn abort(&self, attempt: &Attempt) -> Result<()> {
        match &attempt.multipart {
            Some(multipart) => self.abort_multipart(&self.keys.blob(&attempt.location), multipart).await,
            None => Ok(()),
        }
    }

    /// Gives up parts, unless they were joined or given up already.
    pub(super) async fn abort_multipart(&self, key: &Path, multipart: &String) -> Result<()> {
        match self.store.abort_multipart(key, multipart).await.map_err(|error| map(error, "give parts up")) {
            Ok(()) | Err(Error::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Returns every place where bytes of an upload may lie.
fn locations(upload: &UploadId, head: &Head) -> impl Iterator<Item = Location> {
    let attempts: Vec<_> = head.attempts.iter().map(|attempt| attempt.location.clone()).collect();
    std::iter::once(first_location(upload)).chain(attempts)
}
