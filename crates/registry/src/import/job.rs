//! The import as a durable job: repository after repository, then, if asked, the bytes. What is done stays done.

use std::time::Duration;

use async_trait::async_trait;
use berth_catalog::Tx;
use berth_catalog::imported::{self, Imported};
use berth_catalog::job::Job;
use berth_jobs::{Failure, Handler, Work};
use berth_oci::RepositoryName;
use futures_util::{FutureExt as _, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::finish::Tally;
use super::layout::OldStore;
use super::repository::gone;
use crate::{Error, Registry, Result};

/// Rows read at a time.
const PAGE: usize = 256;
/// Repositories taken in at a time.
const AT_ONCE: usize = 4;
/// Longest time between two looks whether to stop.
const LOOK: Duration = Duration::from_millis(500);

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
    /// The job kind, and the slot of a job that only takes in: one import at a time.
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
        let registry = &self.0;
        registry.heed_import().await?;
        let Some(old) = registry.0.import.store()? else { return registry.nothing_left().await };
        registry.import_all(&old, work).boxed().await?;
        let mut report = registry.import_report().await?;
        if order.finish {
            let Tally { moved, damaged } = registry.move_bytes(&old, work).boxed().await?;
            // It has ended with nothing left there.
            report = ImportReport { moved, foreign: 0, foreign_bytes: 0, ..report };
            report.problems.extend(damaged);
        }
        tracing::info!(
            repositories = report.repositories,
            manifests = report.manifests,
            problems = report.problems.len(),
            moved = report.moved,
            "import has ended"
        );
        as_value(&report)
    }
}

fn as_value(report: &ImportReport) -> Result<Value, Failure> {
    serde_json::to_value(report).map_err(|error| Failure::Permanent(error.to_string()))
}

impl Registry {
    /// Ends a job that finds no other store: a run before this one has forgotten it.
    async fn nothing_left(&self) -> Result<Value, Failure> {
        let report = self.import_report().await?;
        if report.foreign > 0 {
            return Err(Failure::Permanent("there is nothing to import any more".into()));
        }
        let unit = async |tx: &mut Tx| match imported::find_source(tx).await? {
            // Another has begun meanwhile.
            Some(_) => Ok(()),
            None => imported::clear(tx).await,
        };
        self.0.catalog.write(unit).await.map_err(Error::from)?;
        as_value(&report)
    }

    async fn import_all(&self, old: &OldStore, work: &Work) -> Result<(), Failure> {
        if self.0.catalog.read(async |r| imported::is_done(r, "").await).await.map_err(Error::from)? {
            return Ok(());
        }
        if !old.is_whole().await.map_err(Error::from)? {
            return Err(gone().into());
        }
        let names = old.repositories().await.map_err(Error::from)?;
        let (mut done, total) = (0_u64, names.len());
        let (registry, store) = (self.clone(), old.clone());
        let under_way =
            names.into_iter().map(move |name| registry.clone().import_named(store.clone(), name).boxed());
        let mut under_way = futures_util::stream::iter(under_way).buffer_unordered(AT_ONCE);
        loop {
            work.report(&json!({ "phase": "import", "done": done, "total": total }));
            tokio::select! {
                ended = under_way.next() => match ended {
                    Some(ended) => {
                        ended?;
                        done += 1;
                    }
                    None => break,
                },
                () = work.pause(LOOK) => {}
            }
            if work.should_stop() {
                return Err(Failure::Stopped);
            }
        }
        let (now, source) = (self.now(), old.source().map(ToOwned::to_owned));
        let unit = async move |tx: &mut Tx| {
            if imported::is_open(tx, "", source.as_deref()).await? {
                imported::complete(tx, now).await?;
            }
            Ok::<_, Error>(())
        };
        Ok(self.0.catalog.write(unit).await?)
    }

    async fn import_named(self, old: OldStore, name: String) -> Result<()> {
        match name.parse::<RepositoryName>() {
            Ok(name) => self.import_whole(&old, &name).await,
            Err(error) => {
                let problems = vec![format!("{name}: refused, {error}")];
                let refused = Imported { repository: name, manifests: 0, tags: 0, problems };
                self.note(refused, old.source()).await
            }
        }
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
