//! The objects of another registry's store by their names, be they files or objects of a bucket.

use std::{
    fs, io,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;

use crate::{
    BlobReader, Bucket, Error, Result,
    disk::{ForeignFiles, blocking},
    error::Context as _,
};

/// Names of a directory per page.
const PAGE: usize = 1000;

/// A small object.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its size in bytes.
    pub size: u64,
    /// When it was written.
    pub modified: SystemTime,
    /// Its bytes, unless there are more than were asked for.
    pub content: Option<Bytes>,
}

/// Another registry's store. Names have slashes; nothing is ever changed. Clones are the same store.
#[derive(Debug, Clone)]
pub struct Objects(Place);

#[derive(Debug, Clone)]
enum Place {
    Directory { root: PathBuf, files: ForeignFiles },
    Bucket { bucket: Bucket, links: bool },
}

impl Objects {
    pub(super) fn in_directory(root: PathBuf, files: ForeignFiles) -> Self {
        Self(Place::Directory { root, files })
    }

    /// Names the objects below a bucket's prefix; `links` says whether clients reach the bucket.
    pub fn in_bucket(bucket: Bucket, links: bool) -> Self {
        Self(Place::Bucket { bucket, links })
    }

    /// Returns the file of an object, where objects are files.
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        match &self.0 {
            Place::Directory { root, .. } => Some(root.join(name)),
            Place::Bucket { .. } => None,
        }
    }

    /// Returns the size of an object in bytes; `None` if there is none.
    ///
    /// # Errors
    /// When the store can't be asked.
    pub async fn size(&self, name: &str) -> Result<Option<u64>> {
        match &self.0 {
            Place::Directory { root, .. } => {
                let path = root.join(name);
                blocking(move || Ok(found(fs::metadata(&path), &path)?.map(|metadata| metadata.len()))).await
            }
            Place::Bucket { bucket, .. } => bucket.object_size(name).await,
        }
    }

    /// Reads an object; `None` if there is none. One of more than `most` bytes comes without its content.
    ///
    /// # Errors
    /// When the store can't be asked.
    pub async fn read(&self, name: &str, most: u64) -> Result<Option<Object>> {
        match &self.0 {
            Place::Directory { root, .. } => {
                let path = root.join(name);
                blocking(move || read(&path, most)).await
            }
            Place::Bucket { bucket, .. } => bucket.read_object(name, most).await,
        }
    }

    /// Lists the names one level below a name, page by page, in no order.
    pub fn list(&self, below: &str) -> Listing {
        Listing(match &self.0 {
            Place::Directory { root, .. } => Stand::Directory(root.join(below)),
            Place::Bucket { bucket, .. } => {
                Stand::Bucket { bucket: bucket.clone(), below: below.to_owned(), page: None }
            }
        })
    }

    /// Tells whether a name has others below it.
    ///
    /// # Errors
    /// When the store can't be asked.
    pub async fn has_names_below(&self, name: &str) -> Result<bool> {
        match &self.0 {
            Place::Directory { root, .. } => {
                let path = root.join(name);
                blocking(move || Ok(path.is_dir())).await
            }
            Place::Bucket { .. } => Ok(self.list(name).next().await?.is_some()),
        }
    }

    pub(super) async fn open(&self, name: &str) -> Result<Arc<dyn BlobReader>> {
        match &self.0 {
            Place::Directory { root, files } => files.open(root.join(name)).await,
            Place::Bucket { bucket, .. } => bucket.open_object(name).await,
        }
    }

    pub(super) async fn link(&self, name: &str, valid: Duration) -> Result<Option<String>> {
        match &self.0 {
            Place::Bucket { bucket, links: true } => bucket.link_object(name, valid).await.map(Some),
            _ => Ok(None),
        }
    }
}

/// A listing under way.
#[derive(Debug)]
pub struct Listing(Stand);

#[derive(Debug)]
enum Stand {
    Directory(PathBuf),
    Reading(fs::ReadDir, PathBuf),
    Bucket { bucket: Bucket, below: String, page: Option<String> },
    End,
}

impl Listing {
    /// Returns the next names, at least one; `None` at the end.
    ///
    /// # Errors
    /// When the store can't be asked; the listing has ended then.
    pub async fn next(&mut self) -> Result<Option<Vec<String>>> {
        loop {
            let (names, next) = match std::mem::replace(&mut self.0, Stand::End) {
                Stand::End => return Ok(None),
                Stand::Directory(path) => blocking(move || begin(path)).await?,
                Stand::Reading(entries, path) => blocking(move || go_on(entries, path)).await?,
                Stand::Bucket { bucket, below, page } => {
                    let (names, page) = bucket.names(&below, page).await?;
                    let next =
                        if page.is_some() { Stand::Bucket { bucket, below, page } } else { Stand::End };
                    (names, next)
                }
            };
            self.0 = next;
            if !names.is_empty() {
                return Ok(Some(names));
            }
        }
    }
}

fn begin(path: PathBuf) -> Result<(Vec<String>, Stand)> {
    match found(fs::read_dir(&path), &path)? {
        Some(entries) => go_on(entries, path),
        None => Ok((Vec::new(), Stand::End)),
    }
}

fn go_on(mut entries: fs::ReadDir, path: PathBuf) -> Result<(Vec<String>, Stand)> {
    let mut names = Vec::new();
    for entry in entries.by_ref().take(PAGE) {
        let entry = entry.context(|| format!("cannot list {}", path.display()))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    let next = if names.is_empty() { Stand::End } else { Stand::Reading(entries, path) };
    Ok((names, next))
}

fn read(path: &Path, most: u64) -> Result<Option<Object>> {
    let Some(metadata) = found(fs::metadata(path), path)? else { return Ok(None) };
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let size = metadata.len();
    if size > most || !metadata.is_file() {
        return Ok(Some(Object { size, modified, content: None }));
    }
    let content = found(fs::read(path), path)?;
    Ok(content.map(|content| Object { size, modified, content: Some(content.into()) }))
}

/// Turns "not found" into `None`.
fn found<T>(result: io::Result<T>, path: &Path) -> Result<Option<T>, Error> {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        result => result.map(Some).context(|| format!("cannot read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(objects: &Objects, below: &str) -> Vec<Vec<String>> {
        let (mut listing, mut pages) = (objects.list(below), Vec::new());
        while let Some(page) = listing.next().await.unwrap() {
            pages.push(page);
        }
        pages
    }

    #[tokio::test]
    async fn a_large_directory_comes_in_pages() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..=2 * PAGE {
            fs::create_dir_all(dir.path().join(format!("tags/v{number}"))).unwrap();
        }
        let objects = Objects::in_directory(dir.path().to_owned(), ForeignFiles::default());
        let pages = all(&objects, "tags").await;
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [PAGE, PAGE, 1]);
        let mut names = pages.concat();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 2 * PAGE + 1);
        assert!(all(&objects, "none").await.is_empty() && all(&objects, "tags/v1").await.is_empty());
        assert!(objects.has_names_below("tags").await.unwrap());
        assert!(!objects.has_names_below("none").await.unwrap());
    }

    #[tokio::test]
    async fn an_object_that_is_too_large_comes_without_its_content() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("link"), "sha256:").unwrap();
        let objects = Objects::in_directory(dir.path().to_owned(), ForeignFiles::default());
        let small = objects.read("link", 7).await.unwrap().unwrap();
        assert_eq!((small.size, small.content.as_deref()), (7, Some(&b"sha256:"[..])));
        let large = objects.read("link", 6).await.unwrap().unwrap();
        assert_eq!((large.size, large.content), (7, None));
        assert!(objects.read("none", 9).await.unwrap().is_none());
        assert!(objects.read("link/below", 9).await.unwrap().is_none());
        assert_eq!(objects.size("link").await.unwrap(), Some(7));
        assert_eq!(objects.size("none").await.unwrap(), None);
    }
}
