//! The layout of a docker-registry store, read only; every path of it is made here.
//!
//! ```text
//! docker/registry/v2/
//!   blobs/sha256/ab/<hex>/data
//!   repositories/<name>/
//!     _layers/sha256/<hex>/link                  the repository may read the blob
//!     _manifests/revisions/sha256/<hex>/link     the repository holds the manifest
//!     _manifests/tags/<tag>/current/link         digest that the tag points at, as text
//! ```

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use berth_blobs::Foreign;
use berth_oci::{Digest, RepositoryName, Tag};
use jiff::Timestamp;

/// A link holds one digest; more is not one.
const LINK_BYTES: u64 = 1024;

/// Another registry's store. Its methods block.
#[derive(Debug, Clone)]
pub(super) struct OldStore {
    root: PathBuf,
}

impl OldStore {
    /// Names the directory `…/docker/registry/v2`, or a symbolic link to it.
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Tells whether there is an import at all: one look at a name.
    pub(super) fn is_there(&self) -> bool {
        self.root.symlink_metadata().is_ok()
    }

    /// Returns the file of a blob.
    pub(super) fn file(&self, digest: &Digest) -> PathBuf {
        Foreign::file(&self.root, digest)
    }

    /// Returns the size of a blob's file in bytes; `None` if there is none.
    pub(super) fn size(&self, digest: &Digest) -> io::Result<Option<u64>> {
        Ok(found(fs::metadata(self.file(digest)))?.map(|metadata| metadata.len()))
    }

    /// Reads a small blob.
    pub(super) fn content(&self, digest: &Digest) -> io::Result<Option<Vec<u8>>> {
        found(fs::read(self.file(digest)))
    }

    /// Lists the names of all repositories in byte order, legal ones or not.
    pub(super) fn repositories(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        collect(&self.root.join("repositories"), "", &mut names)?;
        names.sort_unstable();
        Ok(names)
    }

    fn repository(&self, name: &RepositoryName) -> PathBuf {
        self.root.join("repositories").join(name.as_str())
    }

    /// Lists the digests of a repository's manifests.
    pub(super) fn revisions(&self, name: &RepositoryName) -> io::Result<Vec<Digest>> {
        let revisions = self.repository(name).join("_manifests/revisions");
        let mut digests = Vec::new();
        for algorithm in names(&revisions)? {
            for hex in names(&revisions.join(&algorithm))? {
                // A revision that was deleted leaves its directory, without the link.
                if let Ok(digest) = format!("{algorithm}:{hex}").parse()
                    && self.has_manifest(name, &digest)?
                {
                    digests.push(digest);
                }
            }
        }
        Ok(digests)
    }

    /// Tells whether a repository holds a manifest.
    pub(super) fn has_manifest(&self, name: &RepositoryName, digest: &Digest) -> io::Result<bool> {
        let link = self.repository(name).join("_manifests/revisions").join(entry(digest)).join("link");
        Ok(read_link(&link)?.is_some_and(|(target, _)| target == digest.to_string()))
    }

    /// Tells whether a repository may read a blob.
    pub(super) fn has_layer(&self, name: &RepositoryName, digest: &Digest) -> io::Result<bool> {
        let link = self.repository(name).join("_layers").join(entry(digest)).join("link");
        Ok(read_link(&link)?.is_some_and(|(target, _)| target == digest.to_string()))
    }

    /// Lists the names of a repository's tags in byte order, legal ones or not.
    pub(super) fn tags(&self, name: &RepositoryName) -> io::Result<Vec<String>> {
        names(&self.repository(name).join("_manifests/tags"))
    }

    /// Returns what a tag points at, as the link says it, and since when.
    pub(super) fn tag(&self, name: &RepositoryName, tag: &Tag) -> io::Result<Option<(String, Timestamp)>> {
        let tags = self.repository(name).join("_manifests/tags");
        read_link(&tags.join(tag.as_str()).join("current/link"))
    }
}

fn entry(digest: &Digest) -> PathBuf {
    Path::new(digest.algorithm().as_str()).join(digest.hex())
}

/// Finds repositories below a directory: names with slashes are directories in directories.
fn collect(directory: &Path, prefix: &str, found: &mut Vec<String>) -> io::Result<()> {
    for name in names(directory)? {
        if name == "_manifests" {
            found.push(prefix.to_owned());
        } else if !name.starts_with('_') {
            let below = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            collect(&directory.join(name), &below, found)?;
        }
    }
    Ok(())
}

/// Returns the names in a directory, sorted; none if it is missing, or no directory.
fn names(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotADirectory => return Ok(Vec::new()),
        read => found(read)?,
    };
    let mut names = Vec::new();
    for entry in entries.into_iter().flatten() {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

fn read_link(path: &Path) -> io::Result<Option<(String, Timestamp)>> {
    let Some(metadata) = found(fs::metadata(path))? else { return Ok(None) };
    if metadata.len() > LINK_BYTES {
        return Ok(None);
    }
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let at = Timestamp::try_from(modified).unwrap_or(Timestamp::UNIX_EPOCH);
    Ok(found(fs::read(path))?.map(|text| (String::from_utf8_lossy(&text).trim().to_owned(), at)))
}

/// Turns "not found" into `None`.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        result => result.map(Some),
    }
}
