//! Reads a backup again: every file of its points, every blob once, every manifest, the chain of events.

use std::collections::HashMap;

use berth_catalog::export::{Blob, BlobLink, Event, Exported, Manifest, Pull, Repository, Tag};
use berth_oci::Digest;

use crate::archive::Archive;
use crate::content::{Kept, check};
use crate::error::Result;
use crate::point::{Problem, Summary};
use crate::table::Rows;
use crate::{Step, Watch};

/// What a look at a backup found.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// Points read.
    pub points: u64,
    /// Blobs read, each once, those in rows included.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Manifests read.
    pub manifests: u64,
    /// What is wrong.
    pub problems: Vec<String>,
}

/// Reads points of an archive: one, or all whole ones. Blocks.
pub fn verify(archive: &Archive, points: &[(String, Summary)], watch: Watch<'_>) -> Result<Verified> {
    let mut verified = Verified::default();
    let mut stored = HashMap::new();
    for (name, summary) in points {
        verified.points += 1;
        if let Err(error) = verify_point(archive, name, summary, &mut stored, &mut verified) {
            verified.problems.push(format!("{name}: {error}"));
        }
        let known = summary.damaged.iter().map(|problem| format!("{name}: {}", shown(problem)));
        verified.problems.extend(known);
    }
    let total: u64 = stored.values().sum();
    let mut done = 0;
    for (digest, size) in stored {
        verified.blobs += 1;
        if let Kept::Damaged(reason) = check(archive, &digest, size)? {
            verified.problems.push(shown(&Problem { digest, reason }));
        }
        done += size;
        watch(Step { phase: "bytes", done, total });
    }
    verified.bytes += total;
    Ok(verified)
}

fn shown(problem: &Problem) -> String {
    format!("{}: {}", problem.digest, problem.reason)
}

fn verify_point(
    archive: &Archive,
    name: &str,
    summary: &Summary,
    stored: &mut HashMap<Digest, u64>,
    verified: &mut Verified,
) -> Result<()> {
    rows::<Repository>(archive, name, summary)?.each(|_| ())?;
    rows::<Blob>(archive, name, summary)?.each(|blob| match blob.content {
        Some(content) => {
            verified.blobs += 1;
            verified.bytes += blob.size;
            if blob.damaged_at.is_none() && Digest::of(blob.digest.algorithm(), &content) != blob.digest {
                verified.problems.push(format!("{name}: {}: its bytes do not match its digest", blob.digest));
            }
        }
        None if summary.damaged.iter().any(|problem| problem.digest == blob.digest) => {}
        None => drop(stored.insert(blob.digest, blob.size)),
    })?;
    rows::<BlobLink>(archive, name, summary)?.each(|_| ())?;
    rows::<Manifest>(archive, name, summary)?.each(|manifest| {
        verified.manifests += 1;
        if Digest::of(manifest.digest.algorithm(), manifest.content.as_bytes()) != manifest.digest {
            let digest = manifest.digest;
            verified.problems.push(format!("{name}: {digest}: the bytes of this manifest do not match"));
        }
    })?;
    rows::<Tag>(archive, name, summary)?.each(|_| ())?;
    rows::<Pull>(archive, name, summary)?.each(|_| ())?;
    let (mut hash, mut position, mut broken) = ([0; 32], 0, None);
    rows::<Event>(archive, name, summary)?.each(|event| {
        hash = event.hash_after(&hash);
        position += 1;
        if (event.position, &event.hash) != (position, &hex::encode(hash)) {
            broken.get_or_insert(position);
        }
    })?;
    if let Some(position) = broken {
        verified.problems.push(format!("{name}: event {position} does not follow from the one before"));
    }
    Ok(())
}

fn rows<T: Exported>(archive: &Archive, name: &str, summary: &Summary) -> Result<Rows<T>> {
    Rows::open(&archive.point(name), &summary.files)
}
