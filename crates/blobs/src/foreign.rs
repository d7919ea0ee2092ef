//! Reads the store of another registry where it lies, beside a store of our own.

mod elsewhere;
mod objects;

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use berth_oci::Digest;
use jiff::Timestamp;

use crate::{BlobReader, BlobWriter, Blobs, Capacity, Error, Leftover, Location, Progress, Result, UploadId};

pub use elsewhere::Elsewhere;
pub use objects::{Listing, Object, Objects};

const PREFIX: &str = "foreign/";

/// Serves locations that begin with `foreign/` from a store of the docker-registry project's layout, and leaves everything
/// else to the store that it wraps.
///
/// ```text
/// <root>/blobs/sha256/ab/<hex>/data
/// ```
///
/// Nothing there is ever changed or removed: a deletion succeeds and frees no byte. The other store may come and go while this one
/// is open; while there is none, its locations hold nothing.
#[derive(Debug)]
pub struct Foreign {
    inner: Arc<dyn Blobs>,
    elsewhere: Arc<Elsewhere>,
}

impl Foreign {
    /// Wraps a store of our own.
    pub fn new(inner: Arc<dyn Blobs>, elsewhere: Arc<Elsewhere>) -> Self {
        Self { inner, elsewhere }
    }

    /// Returns the location of a blob in the other store, be it there or not.
    pub fn location(digest: &Digest) -> Location {
        Location::from(format!("{PREFIX}{}", below(digest)))
    }

    /// Tells whether a location is one in the other store.
    pub fn is_location(location: &str) -> bool {
        location.starts_with(PREFIX)
    }

    /// Returns the name of a blob's object in the other store.
    pub fn name(digest: &Digest) -> String {
        format!("blobs/{}/data", below(digest))
    }

    /// Returns the name of the object that a location names; `None` if it is one of the wrapped store.
    fn named(location: &Location) -> Option<Result<String>> {
        let text = location.as_str().strip_prefix(PREFIX)?;
        // Only what `location` makes, so that no text from outside leads out of the store.
        let digest = text.split_once('/').and_then(|(algorithm, rest)| {
            let (_, hex) = rest.split_once('/')?;
            format!("{algorithm}:{hex}").parse::<Digest>().ok()
        });
        Some(match digest.filter(|digest| below(digest) == text) {
            Some(digest) => Ok(Self::name(&digest)),
            None => Err(Error::InvalidLocation(location.as_str().chars().take(256).collect())),
        })
    }

    async fn open_elsewhere(&self, name: &str) -> Result<Arc<dyn BlobReader>> {
        let objects = self.elsewhere.expect()?;
        match objects.open(name).await {
            Err(Error::NotFound) => Err(self.elsewhere.missing(&objects).await),
            opened => opened,
        }
    }
}

fn below(digest: &Digest) -> String {
    let hex = digest.hex();
    format!("{}/{}/{hex}", digest.algorithm().as_str(), hex.get(..2).unwrap_or_default())
}

#[async_trait]
impl Blobs for Foreign {
    async fn writer(&self, upload: &UploadId, progress: Progress) -> Result<Box<dyn BlobWriter>> {
        self.inner.writer(upload, progress).await
    }

    async fn publish(&self, upload: &UploadId, digest: &Digest) -> Result<Location> {
        self.inner.publish(upload, digest).await
    }

    async fn adopt(&self, upload: &UploadId, file: &Path) -> Result<bool> {
        self.inner.adopt(upload, file).await
    }

    async fn discard(&self, upload: &UploadId) -> Result<()> {
        self.inner.discard(upload).await
    }

    async fn open(&self, location: &Location) -> Result<Arc<dyn BlobReader>> {
        match Self::named(location) {
            Some(name) => self.open_elsewhere(&name?).await,
            None => self.inner.open(location).await,
        }
    }

    async fn size(&self, location: &Location) -> Result<u64> {
        match Self::named(location) {
            Some(name) => Ok(self.open_elsewhere(&name?).await?.size()),
            None => self.inner.size(location).await,
        }
    }

    async fn delete(&self, location: &Location) -> Result<Option<u64>> {
        match Self::named(location) {
            Some(name) => name.map(|_| Some(0)),
            None => self.inner.delete(location).await,
        }
    }

    async fn sync_deletions(&self, locations: &[Location]) -> Result<()> {
        let ours: Vec<Location> =
            locations.iter().filter(|location| Self::named(location).is_none()).cloned().collect();
        self.inner.sync_deletions(&ours).await
    }

    async fn leftovers(&self) -> Result<Vec<Leftover>> {
        self.inner.leftovers().await
    }

    fn lists_leftovers(&self) -> bool {
        self.inner.lists_leftovers()
    }

    async fn open_uncached(&self, location: &Location) -> Result<Arc<dyn BlobReader>> {
        match Self::named(location) {
            Some(name) => self.open_elsewhere(&name?).await,
            None => self.inner.open_uncached(location).await,
        }
    }

    async fn leftover(&self, upload: &UploadId) -> Result<Option<Leftover>> {
        self.inner.leftover(upload).await
    }

    fn upload_of(&self, location: &Location) -> Option<UploadId> {
        if Self::named(location).is_some() { None } else { self.inner.upload_of(location) }
    }

    async fn link(&self, location: &Location, valid: Duration) -> Result<Option<String>> {
        let Some(name) = Self::named(location) else { return self.inner.link(location, valid).await };
        match self.elsewhere.objects() {
            Some(objects) => objects.link(&name?, valid).await,
            None => Ok(None),
        }
    }

    async fn scan(&self, after: Option<&Location>, limit: usize) -> Result<Vec<(Location, u64)>> {
        self.inner.scan(after, limit).await
    }

    async fn scan_uploads(
        &self,
        after: Option<&UploadId>,
        limit: usize,
    ) -> Result<Vec<(UploadId, Timestamp)>> {
        self.inner.scan_uploads(after, limit).await
    }

    async fn sweep(&self, upload: &UploadId) -> Result<()> {
        self.inner.sweep(upload).await
    }

    async fn capacity(&self) -> Result<Capacity> {
        self.inner.capacity().await
    }

    async fn check(&self) -> Result<()> {
        self.inner.check().await
    }
}

#[cfg(test)]
mod tests {
    use berth_oci::Algorithm;

    use super::*;
    use crate::{Disk, testing::conformance};

    fn open(dir: &Path) -> Foreign {
        let disk = Disk::open(&dir.join("store"), 4).unwrap();
        Foreign::new(Arc::new(disk), Arc::new(Elsewhere::behind(dir.join("old"))))
    }

    #[tokio::test]
    async fn the_wrapped_store_is_a_store_as_before() {
        let dir = tempfile::tempdir().unwrap();
        conformance(async || open(dir.path())).await;
    }

    #[tokio::test]
    async fn reads_and_never_changes_the_other_store() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let digest = Digest::of(Algorithm::Sha256, b"old bytes");
        let location = Foreign::location(&digest);
        assert!(matches!(store.open(&location).await, Err(Error::NotFound)));
        let file = dir.path().join("old").join(Foreign::name(&digest));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "old bytes").unwrap();

        let reader = store.open(&location).await.unwrap();
        assert_eq!((reader.size(), &reader.read(4, 9).await.unwrap()[..]), (9, &b"bytes"[..]));
        assert_eq!(store.delete(&location).await.unwrap(), Some(0));
        store.sync_deletions(std::slice::from_ref(&location)).await.unwrap();
        assert!(file.exists() && store.scan(None, 9).await.unwrap().is_empty());

        // That all is gone says nothing about a blob.
        std::fs::rename(dir.path().join("old/blobs"), dir.path().join("blobs")).unwrap();
        assert!(matches!(store.open(&location).await, Err(Error::Unavailable(_))));
        store.elsewhere.close("no key".into());
        assert!(matches!(store.open(&location).await, Err(Error::Unavailable(reason)) if reason == "no key"));

        let text = location.as_str();
        for wrong in ["foreign/", "foreign/../../etc/passwd", &text[..text.len() - 1], &format!("{text}/..")]
        {
            let refused = store.open(&Location::from(wrong)).await;
            assert!(matches!(refused, Err(Error::InvalidLocation(_))), "{wrong}");
        }
    }

    #[tokio::test]
    async fn adopts_a_file_by_another_name_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let (file, upload) = (dir.path().join("file"), UploadId::random());
        std::fs::write(&file, "old bytes").unwrap();
        assert!(store.adopt(&upload, &file).await.unwrap());
        let digest = Digest::of(Algorithm::Sha256, b"old bytes");
        let location = store.publish(&upload, &digest).await.unwrap();
        store.discard(&upload).await.unwrap();
        assert_eq!(store.open(&location).await.unwrap().size(), 9);
        assert_eq!(store.delete(&location).await.unwrap(), Some(0), "the old name holds the bytes");
        assert_eq!(std::fs::read(&file).unwrap(), b"old bytes");
        assert!(matches!(
            store.adopt(&UploadId::random(), &dir.path().join("none")).await,
            Err(Error::NotFound)
        ));
    }
}
