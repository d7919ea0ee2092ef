//! One command at a time changes a shelf.

use std::fs::File;

use super::{Kind, Shelf};
use crate::{Result, bucket::Lease, disk};

/// Keeps others from changing a shelf; let go by [`release`](Self::release), or when the process ends: at once in a directory, within
/// ten seconds in a bucket.
#[derive(Debug)]
pub struct ShelfLock(Held);

#[derive(Debug)]
enum Held {
    Directory(#[expect(dead_code, reason = "held, not used")] File),
    Bucket(Lease),
    /// Nothing: who only reads may do so where nobody can be kept away.
    Nothing,
}

impl Shelf {
    /// Takes the lock for somebody who changes the shelf; `None` while somebody else has it. Makes the directory.
    ///
    /// In a bucket this takes ten seconds where a holder died.
    pub async fn lock(&self) -> Result<Option<ShelfLock>> {
        Ok(match &self.0 {
            Kind::Directory(directory) => {
                disk::lock(directory.root(), true).await?.map(|file| ShelfLock(Held::Directory(file)))
            }
            Kind::Bucket(prefix) => Lease::acquire(prefix).await?.map(|lease| ShelfLock(Held::Bucket(lease))),
        })
    }

    /// Keeps others from changing the shelf while it is read; `None` while somebody changes it. In a bucket, and in a directory that
    /// can't be written to, nobody is kept away: those who read there need no more rights than to read.
    pub async fn lock_to_read(&self) -> Result<Option<ShelfLock>> {
        let Kind::Directory(directory) = &self.0 else { return Ok(Some(ShelfLock(Held::Nothing))) };
        match disk::lock(directory.root(), false).await {
            Err(crate::Error::Io(error, _)) if is_read_only(&error) => Ok(Some(ShelfLock(Held::Nothing))),
            locked => Ok(locked?.map(|file| ShelfLock(Held::Directory(file)))),
        }
    }
}

impl ShelfLock {
    /// Tells whether the lock has been held all the time. In a bucket it may be lost, when the service doesn't answer for long.
    pub fn is_held(&self) -> bool {
        match &self.0 {
            Held::Bucket(lease) => lease.is_held(),
            Held::Directory(_) | Held::Nothing => true,
        }
    }

    /// Lets it go.
    pub async fn release(self) {
        if let Held::Bucket(lease) = self.0 {
            lease.release().await;
        }
    }
}

fn is_read_only(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem)
}
