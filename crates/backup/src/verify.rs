//! Reads a backup again: every file of its points, every blob once, every manifest, the chain of events.

use std::collections::HashMap;

use berth_catalog::export::{
    Account, AppPassword, Binding, Blob, BlobLink, Event, Exported, Manifest, OldPassword, Project, Pull,
    Repository, Robot, RobotSecret, Role, Secret, SigningKey, Subject, Tag, VaultKey,
};
use berth_oci::Digest;
use futures_util::StreamExt as _;

use crate::archive::Archive;
use crate::content::{Kept, check};
use crate::error::{Error, Result};
use crate::point::{Problem, Summary, WITH_ACCESS, each_access_row};
use crate::table::Rows;
use crate::trail::Verifier;
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
    /// Records of the audit trail, for each point.
    pub records: u64,
    /// What is wrong.
    pub problems: Vec<String>,
}

/// Reads points of an archive: one, or all whole ones.
pub async fn verify(archive: &Archive, points: &[(String, Summary)], watch: Watch<'_>) -> Result<Verified> {
    let mut verified = Verified::default();
    let mut stored = HashMap::new();
    let mut trail = Verifier::default();
    for (name, summary) in points {
        verified.points += 1;
        match verify_point(archive, name, summary, &mut stored, &mut verified).await {
            // A place that can't be reached says nothing about what lies there.
            Err(error @ Error::Blobs(_)) => return Err(error),
            Err(error) => verified.problems.push(format!("{name}: {error}")),
            Ok(()) => {}
        }
        if let Some(kept) = summary.trail.as_deref() {
            match trail.point(archive, name, kept).await {
                Err(error @ Error::Blobs(_)) => return Err(error),
                Err(error) => verified.problems.push(format!("{name}: {error}")),
                Ok(problems) => {
                    verified.records += u64::try_from(kept.last - kept.first + 1).unwrap_or(0);
                    verified.problems.extend(problems.iter().map(|problem| format!("{name}: {problem}")));
                }
            }
        }
        let known = summary.damaged.iter().map(|problem| format!("{name}: {}", shown(problem)));
        verified.problems.extend(known);
    }
    let total: u64 = stored.values().sum();
    let mut done = 0;
    let checks =
        stored.into_iter().map(async |(digest, size)| (digest, size, check(archive, &digest, size).await));
    let mut checks = futures_util::stream::iter(checks).buffer_unordered(archive.copies());
    while let Some((digest, size, checked)) = checks.next().await {
        verified.blobs += 1;
        if let Kept::Damaged(reason) = checked? {
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

async fn verify_point(
    archive: &Archive,
    name: &str,
    summary: &Summary,
    stored: &mut HashMap<Digest, u64>,
    verified: &mut Verified,
) -> Result<()> {
    rows::<Repository>(archive, name, summary).await?.each(|_| ()).await?;
    rows::<Blob>(archive, name, summary)
        .await?
        .each(|blob| match blob.content {
            Some(content) => {
                verified.blobs += 1;
                verified.bytes += blob.size;
                if blob.damaged_at.is_none() && Digest::of(blob.digest.algorithm(), &content) != blob.digest {
                    verified
                        .problems
                        .push(format!("{name}: {}: its bytes do not match its digest", blob.digest));
                }
            }
            None if summary.damaged.iter().any(|problem| problem.digest == blob.digest) => {}
            None => drop(stored.insert(blob.digest, blob.size)),
        })
        .await?;
    rows::<BlobLink>(archive, name, summary).await?.each(|_| ()).await?;
    rows::<Manifest>(archive, name, summary)
        .await?
        .each(|manifest| {
            verified.manifests += 1;
            if Digest::of(manifest.digest.algorithm(), manifest.content.as_bytes()) != manifest.digest {
                let digest = manifest.digest;
                verified.problems.push(format!("{name}: {digest}: the bytes of this manifest do not match"));
            }
        })
        .await?;
    rows::<Tag>(archive, name, summary).await?.each(|_| ()).await?;
    rows::<Pull>(archive, name, summary).await?.each(|_| ()).await?;
    if summary.format >= WITH_ACCESS {
        macro_rules! read_each {
            ($($row:ident)+) => { $(rows::<$row>(archive, name, summary).await?.each(|_| ()).await?;)+ };
        }
        each_access_row!(read_each);
    }
    let (mut hash, mut position, mut broken) = ([0; 32], 0, None);
    rows::<Event>(archive, name, summary)
        .await?
        .each(|event| {
            hash = event.hash_after(&hash);
            position += 1;
            if (event.position, &event.hash) != (position, &hex::encode(hash)) {
                broken.get_or_insert(position);
            }
        })
        .await?;
    if let Some(position) = broken {
        verified.problems.push(format!("{name}: event {position} does not follow from the one before"));
    }
    Ok(())
}

async fn rows<T: Exported>(archive: &Archive, name: &str, summary: &Summary) -> Result<Rows<T>> {
    Rows::open(archive.shelf(), &Archive::point(name), &summary.files).await
}
