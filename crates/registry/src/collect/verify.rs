//! `berth gc --verify`: proves that no manifest lost a blob, that store and catalog agree, that the books add up, and that the
//! event chain holds.

use std::collections::HashSet;

use berth_blobs::Location;
use berth_catalog::blob::Placement;
use berth_catalog::review::Audited;
use berth_catalog::{blob, event, ledger, manifest, review};
use berth_oci::{Digest, Manifest, ManifestLimits, RepositoryName};
use serde::Serialize;

use super::store::Disagreement;
use crate::{Registry, Result};

/// Manifests read at a time; each may be as large as `limits.manifest_bytes`.
const MANIFESTS: usize = 16;
/// Events read at a time.
const EVENTS: usize = 256;
/// Most that is listed of one kind.
pub(super) const MOST_PROBLEMS: usize = 1000;

/// Something that a pull would stumble over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Repository of the manifest.
    pub repository: RepositoryName,
    /// The manifest.
    pub manifest: Digest,
    /// The blob it needs, if that is what is wrong.
    pub blob: Option<Digest>,
    /// What is wrong.
    pub reason: String,
}

/// What was checked and what was found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct VerifyReport {
    /// Manifests read.
    pub manifests: u64,
    /// Blobs found whole, each once per repository.
    pub blobs: u64,
    /// What is wrong with manifests and their blobs, at most a thousand.
    pub problems: Vec<Problem>,
    /// Files found in the store.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
    /// Where store and catalog disagree, at most a thousand: so what was freed in one was freed in the other.
    pub disagreements: Vec<Disagreement>,
    /// Bytes of files that the catalog gave up since the beginning, as it knew them.
    pub collected_bytes: u64,
    /// Bytes of those that were freed, as the store counted them.
    pub freed_bytes: u64,
    /// Bytes that the store freed less than the catalog knew (negative: more): files cut short, or held by a backup.
    pub difference_bytes: i64,
    /// Bytes that wait to be freed.
    pub trash_bytes: u64,
    /// First event whose hash is wrong, if one is.
    pub broken_event: Option<i64>,
}

impl VerifyReport {
    /// Tells whether every byte that the catalog gave up was freed or waits.
    pub fn ledger_adds_up(&self) -> bool {
        ledger::Books {
            collected_bytes: self.collected_bytes,
            freed_bytes: self.freed_bytes,
            difference_bytes: self.difference_bytes,
            trash_bytes: self.trash_bytes,
        }
        .add_up()
    }

    /// Tells whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
            && self.disagreements.is_empty()
            && self.broken_event.is_none()
            && self.ledger_adds_up()
    }
}

/// Blobs already found whole.
type Seen = HashSet<(RepositoryName, Digest)>;

impl Registry {
    /// Reads every manifest, looks for every blob it names, and compares every file with its row. Changes nothing, and may run
    /// beside a server.
    pub async fn verify(&self, mut progress: impl FnMut(u64)) -> Result<VerifyReport> {
        let mut report = VerifyReport::default();
        let mut seen = Seen::new();
        let mut after = 0;
        loop {
            let items = self.0.catalog.read(async |r| review::list_all(r, after, MANIFESTS).await).await?;
            let Some(last) = items.last() else { break };
            after = last.id.cursor();
            for item in &items {
                report.manifests += 1;
                let found = self.verify_manifest(item, &mut seen).await?;
                let room = MOST_PROBLEMS.saturating_sub(report.problems.len());
                report.problems.extend(found.into_iter().take(room));
            }
            progress(report.manifests);
        }
        report.blobs = seen.len() as u64;
        self.verify_store(&mut report).await?;
        let books = self.0.catalog.read(async |r| ledger::books(r).await).await?;
        report.collected_bytes = books.collected_bytes;
        report.freed_bytes = books.freed_bytes;
        report.difference_bytes = books.difference_bytes;
        report.trash_bytes = books.trash_bytes;
        report.broken_event = self.0.catalog.read(async |r| event::verify(r, EVENTS).await).await?;
        Ok(report)
    }

    async fn verify_manifest(&self, item: &Audited, seen: &mut Seen) -> Result<Vec<Problem>> {
        let problem = |blob, reason: String| Problem {
            repository: item.repository.name().clone(),
            manifest: item.digest,
            blob,
            reason,
        };
        let mut found = Vec::new();
        if Digest::of(item.digest.algorithm(), &item.content) != item.digest {
            found.push(problem(None, "its bytes do not match its digest".into()));
        }
        // What is there was accepted: today's limits are for what comes.
        let limits = ManifestLimits { descriptors: usize::MAX };
        match Manifest::parse_within(&item.content, Some(&item.media_type), &limits) {
            Err(error) => found.push(problem(None, format!("it cannot be read: {error}"))),
            Ok(manifest) => {
                for descriptor in manifest.blobs() {
                    let key = (item.repository.name().clone(), descriptor.digest);
                    if seen.contains(&key) {
                        continue;
                    }
                    match self.verify_needed(item, &descriptor.digest).await? {
                        None => drop(seen.insert(key)),
                        Some(Needed::Sparse) => {}
                        Some(Needed::Wrong(reason)) => found.push(problem(Some(descriptor.digest), reason)),
                    }
                }
            }
        }
        // Deleted since it was listed, it may lack anything.
        if !found.is_empty() && !self.is_there(item).await? {
            found.clear();
        }
        Ok(found)
    }

    /// Returns why a blob that a manifest names is not there whole, if it isn't.
    async fn verify_needed(&self, item: &Audited, blob: &Digest) -> Result<Option<Needed>> {
        let repository = item.repository.name();
        if self.verify_blob(repository, blob).await?.is_none() {
            return Ok(None);
        }
        // Asked twice: between its row and its file it may have been healed at another location.
        let Some(reason) = self.verify_blob(repository, blob).await? else { return Ok(None) };
        let sparse = self.0.catalog.read(async |r| manifest::is_sparse(r, item.id, blob).await).await?;
        Ok(Some(if sparse { Needed::Sparse } else { Needed::Wrong(reason) }))
    }

    async fn is_there(&self, item: &Audited) -> Result<bool> {
        let id =
            self.0.catalog.read(async |r| manifest::find_id(r, &item.repository, &item.digest).await).await?;
        Ok(id == Some(item.id))
    }

    /// Returns what is wrong with a blob as its repository sees it.
    async fn verify_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<Option<String>> {
        let found = self.0.catalog.read(async |r| blob::find(r, repository, digest).await).await?;
        let Some(found) = found else { return Ok(Some("it is not linked, or damaged".into())) };
        Ok(match &found.placement {
            Placement::Inline(content) if content.len() as u64 == found.size => None,
            Placement::Inline(_) => Some("its row holds another number of bytes than it says".into()),
            Placement::Stored(location) => {
                match self.0.blobs.size(&Location::from(location.as_str())).await {
                    Ok(stored) if stored == found.size => None,
                    Ok(_) => Some("its file has another size than the catalog says".into()),
                    Err(berth_blobs::Error::NotFound) => Some("its file is gone".into()),
                    Err(error) => Some(format!("its file cannot be looked for: {error}")),
                }
            }
        })
    }
}

/// Why a blob that a manifest names is not there whole.
enum Needed {
    /// The manifest was accepted without it.
    Sparse,
    /// What is wrong.
    Wrong(String),
}
