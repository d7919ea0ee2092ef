//! `berth gc --verify`: proves that no manifest lost a blob, that the ledger adds up, and that the event chain holds.

use std::collections::HashSet;

use berth_blobs::Location;
use berth_catalog::blob::Placement;
use berth_catalog::review::Audited;
use berth_catalog::{blob, event, ledger, manifest, review, trash};
use berth_oci::{Digest, Manifest, RepositoryName};
use serde::Serialize;

use crate::{Error, Registry, Result};

/// Manifests read at a time.
const BATCH: usize = 256;

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
    /// Blobs looked for, each once.
    pub blobs: u64,
    /// What is wrong, at most a thousand.
    pub problems: Vec<Problem>,
    /// Bytes of files that the catalog gave up since the beginning.
    pub collected_bytes: u64,
    /// Bytes of files that the store freed since the beginning.
    pub freed_bytes: u64,
    /// Bytes that wait to be freed.
    pub trash_bytes: u64,
    /// First event whose hash is wrong, if one is.
    pub broken_event: Option<i64>,
}

impl VerifyReport {
    /// Tells whether "freed in catalog" equals "freed on disk", what waits included.
    pub fn ledger_adds_up(&self) -> bool {
        self.collected_bytes == self.freed_bytes + self.trash_bytes
    }

    /// Tells whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty() && self.broken_event.is_none() && self.ledger_adds_up()
    }
}

const MOST_PROBLEMS: usize = 1000;

impl Registry {
    /// Reads every manifest and looks for every blob it names. Changes nothing, and may run beside a server.
    pub async fn verify(&self, mut progress: impl FnMut(u64)) -> Result<VerifyReport> {
        let mut report = VerifyReport::default();
        let mut seen = HashSet::new();
        let mut after = 0;
        loop {
            let items = self.0.catalog.read(async |r| review::list_all(r, after, BATCH).await).await?;
            let Some(last) = items.last() else { break };
            after = last.id.cursor();
            for item in &items {
                report.manifests += 1;
                self.verify_manifest(item, &mut seen, &mut report).await?;
            }
            progress(report.manifests);
        }
        report.blobs = seen.len() as u64;
        self.0
            .catalog
            .read(async |r| {
                report.collected_bytes = ledger::get(r, ledger::COLLECTED_BYTES).await?;
                report.freed_bytes = ledger::get(r, ledger::FREED_BYTES).await?;
                report.trash_bytes = trash::totals(r).await?.1;
                report.broken_event = event::verify(r, BATCH).await?;
                Ok::<_, Error>(())
            })
            .await?;
        Ok(report)
    }

    async fn verify_manifest(
        &self,
        item: &Audited,
        seen: &mut HashSet<(RepositoryName, Digest)>,
        report: &mut VerifyReport,
    ) -> Result<()> {
        let problem = |blob, reason: &str| Problem {
            repository: item.repository.name().clone(),
            manifest: item.digest,
            blob,
            reason: reason.to_owned(),
        };
        let mut found = Vec::new();
        if Digest::of(item.digest.algorithm(), &item.content) != item.digest {
            found.push(problem(None, "its bytes do not match its digest"));
        }
        match Manifest::parse(&item.content, Some(&item.media_type)) {
            Err(error) => found.push(problem(None, &format!("it cannot be read: {error}"))),
            Ok(manifest) => {
                for descriptor in manifest.blobs() {
                    if !seen.insert((item.repository.name().clone(), descriptor.digest)) {
                        continue;
                    }
                    if let Some(reason) = self.verify_blob(item.repository.name(), &descriptor.digest).await?
                        && !self.is_sparse(item, &descriptor.digest).await?
                    {
                        seen.remove(&(item.repository.name().clone(), descriptor.digest));
                        found.push(problem(Some(descriptor.digest), &reason));
                    }
                }
            }
        }
        let room = MOST_PROBLEMS.saturating_sub(report.problems.len());
        report.problems.extend(found.into_iter().take(room));
        Ok(())
    }

    async fn is_sparse(&self, item: &Audited, blob: &Digest) -> Result<bool> {
        Ok(self.0.catalog.read(async |r| manifest::is_sparse(r, item.id, blob).await).await?)
    }

    /// Returns what is wrong with a blob as its repository sees it.
    async fn verify_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<Option<String>> {
        let found = self.0.catalog.read(async |r| blob::find(r, repository, digest).await).await?;
        let Some(found) = found else { return Ok(Some("it is not linked, or damaged".into())) };
        Ok(match &found.placement {
            Placement::Inline(content) if content.len() as u64 == found.size => None,
            Placement::Inline(_) => Some("its row holds another number of bytes than it says".into()),
            Placement::Stored(location) => {
                match self.0.blobs.open(&Location::from(location.as_str())).await {
                    Ok(reader) if reader.size() == found.size => None,
                    Ok(_) => Some("its file has another size than the catalog says".into()),
                    Err(berth_blobs::Error::NotFound) => Some("its file is gone".into()),
                    Err(error) => return Err(error.into()),
                }
            }
        })
    }
}
