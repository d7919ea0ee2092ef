//! Removes old points, and the blobs that no point needs any more.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use berth_catalog::export::Blob;
use berth_oci::Digest;

use crate::archive::{Archive, State, sync};
use crate::error::{At as _, Error, Result};
use crate::table::Rows;
use crate::{Step, Watch};

/// What a prune removed.
#[derive(Debug, Clone, Default)]
pub struct Pruned {
    /// Points that stay.
    pub kept: u64,
    /// Points that went, halves included.
    pub points: u64,
    /// Files of blobs that went.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Keeps the latest `keep` whole points, and removes the others and what only they needed. Blocks.
///
/// Nothing of the blobs goes unless every point that stays can be read.
pub fn prune(archive: &Archive, keep: usize, watch: Watch<'_>) -> Result<Pruned> {
    let mut pruned = Pruned::default();
    let mut staying = Vec::new();
    let points = archive.points()?;
    // Before anything goes: it may be a point that a newer binary can read.
    for point in &points {
        if let State::Unreadable(reason) = &point.state {
            return Err(Error::NoPoint(format!("nothing was removed: {reason}")));
        }
    }
    for point in points.into_iter().rev() {
        match point.state {
            State::Whole(summary) if staying.len() < keep => staying.push((point.name, summary)),
            _ => {
                archive.remove_point(&point.name)?;
                pruned.points += 1;
            }
        }
    }
    pruned.kept = staying.len() as u64;
    let mut needed = HashSet::new();
    for (name, summary) in &staying {
        Rows::<Blob>::open(&archive.point(name), &summary.files)?.each(|blob| {
            if blob.content.is_none() {
                needed.insert(blob.digest);
            }
        })?;
    }
    remove_unneeded(archive, &needed, &mut pruned, watch)?;
    for path in entries(&archive.unfinished())? {
        fs::remove_file(&path).at("remove", &path)?;
    }
    Ok(pruned)
}

fn remove_unneeded(
    archive: &Archive,
    needed: &HashSet<Digest>,
    pruned: &mut Pruned,
    watch: Watch<'_>,
) -> Result<()> {
    let mut seen = 0;
    for algorithm in entries(&archive.blobs())? {
        for directory in entries(&algorithm)? {
            let before = pruned.files;
            for path in entries(&directory)? {
                seen += 1;
                watch(Step { phase: "files", done: seen, total: 0 });
                let digest = format!("{}:{}", name(&algorithm), name(&path));
                // A name that is no digest is nothing that a backup made.
                let Ok(digest) = digest.parse::<Digest>() else { continue };
                if needed.contains(&digest) {
                    continue;
                }
                pruned.bytes += fs::metadata(&path).at("stat", &path)?.len();
                fs::remove_file(&path).at("remove", &path)?;
                pruned.files += 1;
            }
            if pruned.files > before {
                sync(&directory)?;
            }
        }
    }
    Ok(())
}

fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

fn entries(directory: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).at("list", directory)? {
        found.push(entry.at("list", directory)?.path());
    }
    Ok(found)
}
