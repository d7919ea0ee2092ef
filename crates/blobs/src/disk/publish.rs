//! Turns uploads into blobs, in an order that survives a power loss at any point.
//!
//! 1. The upload's bytes are durable: the writer has finished.
//! 2. The marker `uploads/<id>.to` is made and `uploads/` synced: from here on a crash leaves a trace of the location.
//! 3. The fan-out directory is there, and durable.
//! 4. The file moves from `uploads/` to its location, and the fan-out directory is synced: the blob is durable.
//! 5. The caller commits, then `discard` removes the marker; if a crash undoes that, start-up does it again.

use std::{collections::HashSet, fs, io::ErrorKind, path::Path};

use berth_oci::Digest;
use parking_lot::Mutex;

use super::{
    layout::{self, Entry, Layout},
    system,
};
use crate::{Error, Leftover, Location, Result, UploadId, error::Context as _};

/// Publishes uploads. Its methods block.
#[derive(Debug)]
pub(super) struct Publisher {
    /// Fan-out directories whose own names are durable.
    fan_out: Mutex<HashSet<String>>,
}

impl Publisher {
    /// Makes the store's directories, durably, and learns which are there.
    pub(super) fn open(root: &Path, layout: &Layout) -> Result<Self> {
        create_durably(root)?;
        system::create_directory(layout.uploads())?;
        system::create_directory(layout.blobs())?;
        let mut fan_out = HashSet::new();
        for algorithm in layout::ALGORITHMS {
            let directory = layout.algorithm(algorithm);
            system::create_directory(&directory)?;
            let entries =
                fs::read_dir(&directory).context(|| format!("cannot list {}", directory.display()))?;
            for entry in entries {
                let entry = entry.context(|| format!("cannot list {}", directory.display()))?;
                fan_out.insert(format!("{}/{}", algorithm.as_str(), entry.file_name().to_string_lossy()));
            }
            system::sync_directory(&directory)?;
        }
        for directory in [layout.blobs(), root] {
            system::sync_directory(directory)?;
        }
        Ok(Self { fan_out: Mutex::new(fan_out) })
    }

    pub(super) fn publish(&self, layout: &Layout, upload: &UploadId, digest: &Digest) -> Result<Location> {
        let location = layout::location(digest, upload);
        let target = layout.blob(&location)?;
        let upload_path = layout.upload(upload);
        if !exists(&upload_path)? {
            return Self::publish_again(layout, upload, location, &target);
        }
        self.prepare_fan_out(layout, &target)?;
        // An earlier attempt may have left a marker, perhaps to another digest.
        let marker = layout.marker(upload);
        system::remove(&marker)?;
        system::link(&layout::marker_target(&location), &marker)?;
        system::sync_directory(layout.uploads())?;
        if !system::rename(&upload_path, &target)? {
            if exists(&upload_path)? {
                // Somebody removed a directory; the next publication makes it again.
                self.fan_out.lock().clear();
                return Err(Error::Io(
                    ErrorKind::NotFound.into(),
                    format!("cannot move to {}", target.display()),
                ));
            }
            return Err(Error::UploadLost);
        }
        sync_parent(&target)?;
        Ok(location)
    }

    /// Answers a repeated publication of an upload whose bytes are no longer among the uploads.
    fn publish_again(
        layout: &Layout,
        upload: &UploadId,
        location: Location,
        target: &Path,
    ) -> Result<Location> {
        if marked(layout, upload)?.as_ref() != Some(&location) || !exists(target)? {
            return Err(Error::UploadLost);
        }
        // The attempt before may have failed at exactly this.
        sync_parent(target)?;
        Ok(location)
    }

    fn prepare_fan_out(&self, layout: &Layout, target: &Path) -> Result<()> {
        let Some(directory) = target.parent() else { return Ok(()) };
        let name = directory.strip_prefix(layout.blobs()).unwrap_or(directory).to_string_lossy();
        if self.fan_out.lock().contains(&*name) {
            return Ok(());
        }
        system::create_directory(directory)?;
        sync_parent(directory)?;
        // Only now: another publication must not rely on a name that is not durable yet.
        self.fan_out.lock().insert(name.into_owned());
        Ok(())
    }

    /// Takes an upload back whose publication didn't get committed.
    pub(super) fn take_back(layout: &Layout, upload: &UploadId) -> Result<()> {
        let Some(location) = marked(layout, upload)? else { return Ok(()) };
        let upload_path = layout.upload(upload);
        if !exists(&upload_path)? && system::rename(&layout.blob(&location)?, &upload_path)? {
            system::sync_directory(layout.uploads())?;
        }
        system::remove(&layout.marker(upload))?;
        Ok(())
    }

    pub(super) fn discard(layout: &Layout, upload: &UploadId) -> Result<()> {
        system::remove(&layout.upload(upload))?;
        system::remove(&layout.marker(upload))?;
        Ok(())
    }
}

/// Lists what lies in `uploads/`; blocks.
pub(super) fn leftovers(layout: &Layout) -> Result<Vec<Leftover>> {
    let context = || format!("cannot list {}", layout.uploads().display());
    let mut found = Vec::new();
    for entry in fs::read_dir(layout.uploads()).context(context)? {
        let name = entry.context(context)?.file_name();
        match layout::parse_upload(&name.to_string_lossy()) {
            Some(Entry::Bytes(upload)) => found.push(Leftover { upload, location: None }),
            Some(Entry::Marker(upload)) => {
                found.push(Leftover { upload, location: marked(layout, &upload)? });
            }
            None => tracing::warn!(name = %name.display(), "ignored an unknown file among the uploads"),
        }
    }
    // Of an upload's bytes and its marker, the marker says more.
    found.sort_by(|a, b| a.upload.cmp(&b.upload).then_with(|| b.location.cmp(&a.location)));
    found.dedup_by_key(|leftover| leftover.upload);
    Ok(found)
}

/// Tells what one upload left; blocks.
pub(super) fn leftover(layout: &Layout, upload: &UploadId) -> Result<Option<Leftover>> {
    let location = marked(layout, upload)?;
    let left = location.is_some() || exists(&layout.upload(upload))? || exists(&layout.marker(upload))?;
    Ok(left.then_some(Leftover { upload: *upload, location }))
}

/// Returns the location an upload's marker names.
fn marked(layout: &Layout, upload: &UploadId) -> Result<Option<Location>> {
    match fs::read_link(layout.marker(upload)) {
        Ok(target) => Ok(layout::parse_marker_target(&target)),
        // The latter: not a link, so not a marker of ours.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) => Ok(None),
        Err(error) => Err(Error::io(error, format!("cannot read the marker of upload {upload}"))),
    }
}

fn exists(path: &Path) -> Result<bool> {
    system::found(fs::symlink_metadata(path).map(drop), || format!("cannot stat {}", path.display()))
}

/// Makes a directory and what is missing above it, each with a durable name.
fn create_durably(path: &Path) -> Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_durably(parent)?;
    }
    system::create_directory(path)?;
    sync_parent(path)
}

fn sync_parent(path: &Path) -> Result<()> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => system::sync_directory(Path::new(".")),
        Some(parent) => system::sync_directory(parent),
        None => Ok(()),
    }
}
