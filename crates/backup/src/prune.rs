//! Removes old points, and the blobs that no point needs any more.

use std::collections::HashSet;

use berth_catalog::export::Blob;
use berth_oci::Digest;
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::archive::{Archive, State};
use crate::error::{Error, Result};
use crate::point::Summary;
use crate::table::Rows;
use crate::trail::{KeptTrail, TRAIL};
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

/// Keeps the latest `keep` whole points, and removes the others and what only they needed.
///
/// Nothing of the blobs goes unless every point that stays can be read.
pub async fn prune(archive: &Archive, keep: usize, watch: Watch<'_>) -> Result<Pruned> {
    let mut pruned = Pruned::default();
    let mut staying = Vec::new();
    let points = archive.points().await?;
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
                archive.check_lock()?;
                archive.remove_point(&point.name).await?;
                pruned.points += 1;
            }
        }
    }
    pruned.kept = staying.len() as u64;
    let mut needed = HashSet::new();
    for (name, summary) in &staying {
        let rows = Rows::<Blob>::open(archive.shelf(), &Archive::point(name), &summary.files).await?;
        rows.each(|blob| {
            if blob.content.is_none() {
                needed.insert(blob.digest);
            }
        })
        .await?;
    }
    remove_unneeded(archive, &needed, &mut pruned, watch).await?;
    remove_trails(archive, &staying).await?;
    archive.shelf().clear_unfinished().await?;
    Ok(pruned)
}

/// Removes files of the audit trail that no point which stays names.
async fn remove_trails(archive: &Archive, staying: &[(String, Summary)]) -> Result<()> {
    let needed: HashSet<String> = staying
        .iter()
        .filter_map(|(_, summary)| summary.trail.as_deref())
        .flat_map(KeptTrail::files)
        .collect();
    let mut listed = archive.shelf().list(TRAIL);
    while let Some(object) = listed.try_next().await? {
        if !needed.contains(&object.name) {
            archive.check_lock()?;
            archive.shelf().delete(&object.name).await?;
        }
    }
    Ok(())
}

async fn remove_unneeded(
    archive: &Archive,
    needed: &HashSet<Digest>,
    pruned: &mut Pruned,
    watch: Watch<'_>,
) -> Result<()> {
    let mut unneeded = archive.blobs().await?;
    unneeded.retain(|digest, _| !needed.contains(digest));
    let total = unneeded.len() as u64;
    let removals = unneeded.into_iter().map(async |(digest, size)| {
        archive.check_lock()?;
        archive.shelf().delete(&Archive::blob(&digest)).await?;
        Ok::<_, Error>(size)
    });
    let mut removals = futures_util::stream::iter(removals).buffer_unordered(archive.copies());
    while let Some(size) = removals.next().await {
        pruned.bytes += size?;
        pruned.files += 1;
        watch(Step { phase: "files", done: pruned.files, total });
    }
    Ok(())
}
