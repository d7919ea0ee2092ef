//! A place that keeps objects by name, for backups and for what other registries left: a directory, or a part of a bucket.

use std::{fmt, path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::{
    BlobReader, Bucket, BucketConfig, Error, Result,
    bucket::{Prefix, PrefixWriter},
    disk::{Folder, FolderWriter},
};

mod lock;

pub use lock::ShelfLock;

/// The longest name, as services limit keys.
const LONGEST_NAME: usize = 1024;
/// Of a directory: objects that are being written, and the file that is locked. Of a bucket: the object that is leased.
pub(crate) const OWN: [&str; 3] = ["unfinished", "lock", "lease"];

/// A directory or what lies below a prefix in a bucket, as named objects; clones share everything.
///
/// Names are relative and have `/` between their parts, in both kinds of places the same: what is copied from a directory into a
/// bucket, or back, is the same shelf. No name leads out of the place: parts such as `..` are refused with
/// [`Error::InvalidLocation`]. The names `unfinished`, `lock` and `lease` at the top are the shelf's own and never listed.
#[derive(Debug, Clone)]
pub struct Shelf(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Directory(Folder),
    Bucket(Prefix),
}

/// What a list says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShelfObject {
    /// Its name on the shelf.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
}

/// What lies directly below a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Children {
    /// Last parts of the names of folders, in order. A bucket has none that is empty.
    pub folders: Vec<String>,
    /// Objects, in the order of their names.
    pub objects: Vec<ShelfObject>,
}

impl Shelf {
    /// Names a directory. Touches nothing: the first object makes it.
    pub fn directory(root: &Path) -> Self {
        Self(Kind::Directory(Folder::new(root)))
    }

    /// Names a bucket and a prefix. Sends nothing, but reads the certificates, so it blocks: for start-up.
    ///
    /// # Errors
    /// [`Error::Io`] when the configuration can't be used.
    pub fn bucket(config: &BucketConfig) -> Result<Self> {
        Ok(Self(Kind::Bucket(Prefix::of(&Bucket::open(config)?, config))))
    }

    /// Tells whether it lies in a bucket: each request takes its time there, but many may be under way.
    pub fn is_remote(&self) -> bool {
        matches!(self.0, Kind::Bucket(_))
    }

    /// Lists everything below a folder, at any depth; `""` is the top. A folder that isn't there is empty. In no order on disk, in
    /// that of the names in a bucket.
    pub fn list(&self, folder: &str) -> BoxStream<'static, Result<ShelfObject>> {
        if let Err(error) = check_folder(folder) {
            return Box::pin(futures_util::stream::once(async { Err(error) }));
        }
        match &self.0 {
            Kind::Directory(directory) => directory.list(folder),
            Kind::Bucket(prefix) => prefix.list(folder),
        }
    }

    /// Lists what lies directly below a folder; `""` is the top.
    pub async fn children(&self, folder: &str) -> Result<Children> {
        check_folder(folder)?;
        let mut children = match &self.0 {
            Kind::Directory(directory) => directory.children(folder).await?,
            Kind::Bucket(prefix) => prefix.children(folder).await?,
        };
        children.folders.sort_unstable();
        children.objects.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(children)
    }

    /// Reads a small object whole; `None` if it isn't there.
    pub async fn get(&self, name: &str) -> Result<Option<Bytes>> {
        check(name)?;
        match &self.0 {
            Kind::Directory(directory) => directory.get(name).await,
            Kind::Bucket(prefix) => prefix.get(name).await,
        }
    }

    /// Opens an object, to read it from any position.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it isn't there.
    pub async fn open(&self, name: &str) -> Result<Arc<dyn BlobReader>> {
        check(name)?;
        match &self.0 {
            Kind::Directory(directory) => directory.open(name).await,
            Kind::Bucket(prefix) => prefix.open(name).await,
        }
    }

    /// Returns the size of an object in bytes; `None` if it isn't there.
    pub async fn size(&self, name: &str) -> Result<Option<u64>> {
        check(name)?;
        match &self.0 {
            Kind::Directory(directory) => directory.size(name).await,
            Kind::Bucket(prefix) => prefix.size(name).await,
        }
    }

    /// Writes an object, in place of what had its name; durable when this returns.
    pub async fn put(&self, name: &str, content: Bytes) -> Result<()> {
        let mut writer = self.writer(name, content.len() as u64).await?;
        writer.write(content).await?;
        writer.finish().await
    }

    /// Starts an object of about `size_bytes` bytes, 0 if that isn't known. It is there, whole and durable, once
    /// [`ShelfWriter::finish`] has returned, and not at all before.
    pub async fn writer(&self, name: &str, size_bytes: u64) -> Result<ShelfWriter> {
        check(name)?;
        Ok(ShelfWriter(match &self.0 {
            Kind::Directory(directory) => Writing::Directory(directory.writer(name).await?),
            Kind::Bucket(prefix) => Writing::Bucket(prefix.writer(name, size_bytes)?),
        }))
    }

    /// Removes an object, durably, if it is there.
    pub async fn delete(&self, name: &str) -> Result<()> {
        check(name)?;
        match &self.0 {
            Kind::Directory(directory) => directory.delete(name).await,
            Kind::Bucket(prefix) => prefix.delete(name).await,
        }
    }

    /// Removes what writers left that never finished. Call it while nobody writes. In a bucket it lies where only the bucket's
    /// lifecycle rule for unfinished uploads finds it.
    pub async fn clear_unfinished(&self) -> Result<()> {
        match &self.0 {
            Kind::Directory(directory) => directory.clear_unfinished().await,
            Kind::Bucket(_) => Ok(()),
        }
    }
}

/// Shows the directory, or `s3://bucket/prefix`.
impl fmt::Display for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Directory(directory) => directory.fmt(f),
            Kind::Bucket(prefix) => prefix.fmt(f),
        }
    }
}

/// Writes one object. Dropped without [`finish`](Self::finish), it leaves none; call [`discard`](Self::discard) to leave nothing of
/// it.
#[derive(Debug)]
pub struct ShelfWriter(Writing);

#[derive(Debug)]
enum Writing {
    Directory(FolderWriter),
    Bucket(PrefixWriter),
}

impl ShelfWriter {
    /// Takes the next bytes. An earlier chunk's error may be returned here; after an error, discard the writer.
    pub async fn write(&mut self, chunk: Bytes) -> Result<()> {
        match &mut self.0 {
            Writing::Directory(writer) => writer.write(chunk).await,
            Writing::Bucket(writer) => writer.write(chunk).await,
        }
    }

    /// Gives the object its name; whole and durable when this returns.
    pub async fn finish(self) -> Result<()> {
        match self.0 {
            Writing::Directory(writer) => writer.finish().await,
            Writing::Bucket(writer) => writer.finish().await,
        }
    }

    /// Gives the object up and removes what was written, if that can be done.
    pub async fn discard(self) {
        match self.0 {
            Writing::Directory(writer) => writer.discard().await,
            Writing::Bucket(writer) => writer.discard().await,
        }
    }
}

fn check_folder(folder: &str) -> Result<()> {
    if folder.is_empty() { Ok(()) } else { check(folder) }
}

/// Refuses what could lead out of the place, or what the two kinds of places would call differently.
fn check(name: &str) -> Result<()> {
    let is_part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && !part.chars().any(|c| c.is_control() || matches!(c, '\\' | '\u{7f}'))
    };
    if name.len() <= LONGEST_NAME && name.split('/').all(is_part) {
        return Ok(());
    }
    Err(Error::InvalidLocation(name.chars().take(256).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out() {
        for good in ["a", "a/b", "blobs/sha256/ab/abcd", "points/x/backup.json", "...", "a.b"] {
            assert!(check(good).is_ok(), "{good}");
        }
        let long = "a".repeat(LONGEST_NAME + 1);
        for wrong in ["", "/", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\0b", "a\nb", "a\\..\\b", &long] {
            assert!(matches!(check(wrong), Err(Error::InvalidLocation(_))), "{wrong:?}");
        }
    }
}
