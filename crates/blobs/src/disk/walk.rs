//! Lists published blobs for a scrub, and removes them.

use std::{
    collections::BTreeSet,
    fs,
    io::ErrorKind,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::{layout, layout::Layout, system};
use crate::{Error, Location, Result, error::Context as _};

/// Lists blobs behind `after` in the order of their locations; blocks.
pub(super) fn scan(layout: &Layout, after: Option<&Location>, limit: usize) -> Result<Vec<(Location, u64)>> {
    let after = after.map_or("", Location::as_str);
    let mut found = Vec::new();
    for algorithm in layout::ALGORITHMS {
        for fan_out in names(&layout.algorithm(algorithm))? {
            let directory = format!("{}/{fan_out}", algorithm.as_str());
            // Locations in a directory all sort with its name: it is behind when it is smaller than a prefix of `after`.
            if directory.as_str() < after.get(..directory.len()).unwrap_or(after) {
                continue;
            }
            for name in names(&layout.blobs().join(&directory))? {
                if found.len() == limit {
                    return Ok(found);
                }
                let location = format!("{directory}/{name}");
                if location.as_str() <= after || layout::check(&location).is_none() {
                    continue;
                }
                let path = layout.blobs().join(&location);
                match fs::symlink_metadata(&path) {
                    Ok(metadata) => found.push((Location::from(location), metadata.len())),
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(error).context(|| format!("cannot stat {}", path.display())),
                }
            }
        }
    }
    Ok(found)
}

/// Returns the size of a blob in bytes; blocks.
pub(super) fn size(path: &Path) -> Result<u64> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::NotFound),
        result => Ok(result.context(|| format!("cannot stat {}", path.display()))?.len()),
    }
}

/// Removes a blob and returns the bytes that this frees, `None` if it was gone: 0 while another hard link, say a backup's,
/// holds them; blocks.
pub(super) fn delete(path: &Path) -> Result<Option<u64>> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        result => result.context(|| format!("cannot stat {}", path.display()))?,
    };
    let removed = system::remove(path)?;
    Ok(removed.then(|| if metadata.nlink() == 1 { metadata.len() } else { 0 }))
}

/// Makes removals durable: syncs each directory of the paths once; blocks.
pub(super) fn sync_deletions(paths: &[PathBuf]) -> Result<()> {
    let directories: BTreeSet<&Path> = paths.iter().filter_map(|path| path.parent()).collect();
    for directory in directories {
        match system::sync_directory(directory) {
            // It has no names to forget; who removed it answers for its own.
            Err(Error::Io(error, _)) if error.kind() == ErrorKind::NotFound => {}
            result => result?,
        }
    }
    Ok(())
}

/// Returns the names in a directory, sorted; none if it is missing.
fn names(directory: &Path) -> Result<Vec<String>> {
    let context = || format!("cannot list {}", directory.display());
    let entries = match fs::read_dir(directory) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(vec![]);
        }
        result => result.context(context)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.context(context)?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}
