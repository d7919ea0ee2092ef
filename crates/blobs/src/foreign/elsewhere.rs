//! Where another registry's store lies, if anywhere, at the moment.

use std::path::{Path, PathBuf};

use parking_lot::RwLock;

use super::objects::Objects;
use crate::{Bucket, Error, Result, disk::ForeignFiles};

/// Says where the other store lies: where its owner is told, or in the directory that a symbolic link names. Both may come and go
/// while the store is open.
#[derive(Debug)]
pub struct Elsewhere {
    link: PathBuf,
    files: ForeignFiles,
    told: RwLock<Told>,
}

#[derive(Debug, Default)]
enum Told {
    #[default]
    Nothing,
    Open(Objects),
    Closed(String),
}

impl Elsewhere {
    /// Looks behind this symbolic link, now and later, as long as nothing else is told.
    pub fn behind(link: PathBuf) -> Self {
        Self { link, files: ForeignFiles::default(), told: RwLock::default() }
    }

    /// Returns the symbolic link.
    pub fn link(&self) -> &Path {
        &self.link
    }

    /// Tells that the other store lies in this bucket, and whether clients reach it.
    pub fn open(&self, bucket: Bucket, links: bool) {
        *self.told.write() = Told::Open(Objects::in_bucket(bucket, links));
    }

    /// Tells that there is another store, which can't be opened here, and why.
    pub fn close(&self, reason: String) {
        *self.told.write() = Told::Closed(reason);
    }

    /// Tells that there is no other store, but behind the link.
    pub fn forget(&self) {
        *self.told.write() = Told::Nothing;
    }

    /// Returns the other store, if there is one and it can be read here. Behind the link it costs a look at a name.
    pub fn objects(&self) -> Option<Objects> {
        self.expect().ok()
    }

    /// Returns the other store for a blob that lies there.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none, [`Error::Unavailable`] when it can't be opened here.
    pub(super) fn expect(&self) -> Result<Objects> {
        match &*self.told.read() {
            Told::Open(objects) => Ok(objects.clone()),
            Told::Closed(reason) => Err(Error::Unavailable(reason.clone())),
            Told::Nothing if self.link.symlink_metadata().is_ok() => {
                Ok(Objects::in_directory(self.link.clone(), self.files.clone()))
            }
            Told::Nothing => Err(Error::NotFound),
        }
    }

    /// Says what it means that a blob of the other store is not found: nothing about the blob, where all of the store is gone.
    pub(super) async fn missing(&self, objects: &Objects) -> Error {
        match objects.has_names_below("blobs").await {
            Ok(true) => Error::NotFound,
            Ok(false) => Error::Unavailable(format!(
                "nothing lies behind {}: mount the other registry's store, or remove the link to give it up",
                self.link.display()
            )),
            Err(error) => error,
        }
    }
}
