//! The import as a durable job: repository after repository, then, if asked, the bytes. What is done stays done.

use async_trait::async_trait;
use berth_catalog::imported::{self, Imported};
use berth_catalog::job::Job;
use berth_jobs::{Failure, Handler, Work};
use berth_oci::RepositoryName;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::repository::blocking;
use crate::{Error, Registry, Result};

/// Rows read at a time.
const PAGE: usize = 256;

/// Imports another registry's store.
#[derive(Debug, Clone)]
pub struct ImportJob(Registry);

/// How an import stands.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ImportReport {
    /// Repositories taken in.
    pub repositories: u64,
    /// Manifests taken in.
    pub manifests: u64,
    /// Tags taken in.
    pub tags: u64,
    /// Whether nothing is missing any more.
    pub complete: bool,
    /// Blobs whose bytes lie in the other store.
    pub foreign: u64,
    /// Their bytes.
    pub foreign_bytes: u64,
    /// Blobs whose bytes were moved by this run.
    pub moved: u64,
    /// What was refused, missing or damaged.
    pub problems: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct ImportOrder {
    finish: bool,
}

impl ImportJob {
    /// The job kind, and the slot: one import at a time.
    pub const KIND: &'static str = "import";

    /// Works imports of this registry.
    pub fn new(registry: Registry) -> Self {
        Self(registry)
    }

    /// Writes the payload of a job.
    pub(super) fn payload(finish: bool) -> String {
        json!({ "finish": finish }).to_string()
    }
}

#[async_trait]
impl Handler for ImportJob {
    async fn run(&self, job: &Job, work: &Work) -> Result<Value, Failure> {
        let order: ImportOrder = serde_json::from_str(&job.payload)
            .map_err(|error| Failure::Permanent(format!("payload is not an import's: {error}")))?;
        self.0.import_all(work).await?;
        let (mut moved, mut damaged) = (0, Vec::new());
        let before = self.0.import_report().await?;
        if order.finish {
            (moved, damaged) = self.0.move_bytes(work).await?;
        }
        // Once it is finished there is nothing left to ask.
        let after = self.0.import_report().await?;
        let report = ImportReport {
            moved,
            problems: before.problems.into_iter().chain(damaged).collect(),
            foreign: after.foreign,
            foreign_bytes: after.foreign_bytes,
            ..before
        };
        tracing::info!(
            repositories = report.repositories,
            manifests = report.manifests,
            problems = report.problems.len(),
            moved,
            "import has ended"
        );
        serde_json::to_value(&report).map_err(|error| Failure::Permanent(error.to_string()))
    }
}

impl Registry {
    async fn import_all(&self, work: &Work) -> Result<(), Failure> {
        let old = self.0.import.store().cloned();
        let old = old.ok_or_else(|| Failure::Permanent("there is nothing to import any more".into()))?;
        if self.0.catalog.read(async |r| imported::is_done(r, "").await).await.map_err(Error::from)? {
            return Ok(());
        }
        let names = {
            let old = old.clone();
            blocking(move || old.repositories()).await?
        };
        let total = names.len();
        for (done, name) in names.into_iter().enumerate() {
            work.report(&json!({ "phase": "import", "done": done, "total": total }));
            if work.should_stop() {
                return Err(Failure::Stopped);
            }
            match name.parse::<RepositoryName>() {
                Ok(name) => {
                    let known = self.0.catalog.read(async |r| imported::is_done(r, name.as_str()).await);
                    if !known.await.map_err(Error::from)? {
                        self.import_whole(&old, &name).await?;
                    }
                }
                Err(error) => {
                    let problems = vec![format!("{name}: refused, {error}")];
                    self.note(Imported { repository: name, manifests: 0, tags: 0, problems }).await?;
                }
            }
        }
        let now = self.now();
        self.0
            .catalog
            .write(async move |tx| imported::complete(tx, now).await)
            .await
            .map_err(|error| Error::from(error).into())
    }

    /// Tells how the import stands, with every problem found.
    pub async fn import_report(&self) -> Result<ImportReport> {
        let catalog = &self.0.catalog;
        let (totals, foreign) = catalog
            .read(async |r| Ok::<_, Error>((imported::totals(r).await?, imported::count_foreign(r).await?)))
            .await?;
        let mut report = ImportReport {
            repositories: totals.repositories,
            manifests: totals.manifests,
            tags: totals.tags,
            complete: totals.complete,
            foreign: foreign.0,
            foreign_bytes: foreign.1,
            ..ImportReport::default()
        };
        let mut after = String::new();
        loop {
            let page = catalog.read(async |r| imported::list(r, &after, PAGE).await).await?;
            let Some(last) = page.last() else { return Ok(report) };
            after.clone_from(&last.repository);
            report.problems.extend(page.into_iter().flat_map(|imported| imported.problems));
        }
    }
}
