//! `berth migrate`: from one data directory to Postgres and a bucket, while serving.

mod status;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use berth_backup::{Archive, Found, Keep, Placed, Restored, State, Summary};
use berth_blobs::Shelf;
use berth_catalog::{identity, mode, restore};
use berth_registry::{CollectJob, Registry};
use indicatif::ProgressBar;

use super::progress::{follow, progress_bar};
use super::read_only::FOLLOWED;
use super::restore::summary_of;
use super::{block_on, print};
use crate::cli::{self, MigrateCommand};
use crate::config::{self, Config, Flags};
use crate::data::{self, NewData};

/// Passes in a row at most: each has less to copy than the one before.
const PASSES: usize = 3;

/// Both ends of a move.
struct Move {
    from: Registry,
    to: NewData,
    archive: Archive,
    placed: Placed,
    bar: ProgressBar,
}

pub(super) fn run(arguments: cli::Migrate) -> Result<ExitCode> {
    if let Some(MigrateCommand::Status(place)) = arguments.command {
        return status::run(place);
    }
    let source = config::load(arguments.place.into())?.config;
    let target = config::load(Flags { file: arguments.to, ..Flags::default() })?.config;
    let through = arguments.through.context("name a directory with --through")?;
    data::must_exist(&source)?;
    if source.database.url.is_some() {
        bail!(
            "the registry lies in Postgres already: use `berth backup` and `berth restore` to move it elsewhere"
        );
    }
    if !target.is_stateless() {
        bail!("--to must name a configuration with database.url and storage.bucket");
    }
    block_on(migrate(&source, &target, &through, arguments.switch))
}

async fn migrate(source: &Config, target: &Config, through: &Path, switch: bool) -> Result<ExitCode> {
    let moving = Move::open(source, target, through).await?;
    let mut summary = moving.copy().await?;
    for _ in 1..PASSES {
        if summary.1.copied == 0 {
            break;
        }
        summary = moving.copy().await?;
    }
    if !switch {
        let (blobs, damaged) = (summary.1.blobs, summary.1.damaged.len());
        print(format!(
            "{blobs} blobs are in their new places or come with the catalog, {damaged} are damaged; run it again with --switch\n"
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    let started = Instant::now();
    let was_read_only = moving.set_read_only(true).await?;
    let ended = moving.bring_over().await;
    moving.bar.finish_and_clear();
    let (name, restored) = match ended {
        Ok(ended) => ended,
        Err(error) if was_read_only => return Err(error.context("the switch failed, nothing is changed")),
        Err(error) => {
            let said = match moving.set_read_only(false).await {
                Ok(_) => "the switch failed, the registry goes on as before".to_owned(),
                Err(other) => format!(
                    "the switch failed, and pushes could not be allowed again ({other:#}): run `berth read-only off`"
                ),
            };
            return Err(error.context(said));
        }
    };
    for problem in &restored.problems {
        print(format!("{}: {}\n", problem.digest, problem.reason))?;
    }
    print(summary_of(&name, &restored))?;
    print(format!(
        "pushes rested for {:.1} s and rest on here: start the new nodes with `berth serve --config`\n",
        started.elapsed().as_secs_f64()
    ))?;
    let whole = restored.problems.is_empty() && restored.broken_event.is_none();
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Move {
    async fn open(source: &Config, target: &Config, through: &Path) -> Result<Self> {
        let archive = Archive::create(Shelf::directory(through)).await?;
        // Its points go as the move goes on.
        let is_other = |point: &Found| match &point.state {
            State::Whole(summary) => !summary.placed,
            State::Half => false,
            State::Unreadable(_) => true,
        };
        if archive.points().await?.iter().any(is_other) {
            bail!("{} holds a backup: name another directory with --through", through.display());
        }
        let from = data::join(source).await?;
        let to = data::create(target).await?;
        if !to.catalog.read(async |r| restore::is_empty(r).await).await? {
            bail!(
                "the database of --to holds a registry already: name an empty one, or drop what a failed switch left in it"
            );
        }
        let store = to.catalog.read(async |r| identity::find(r).await).await?;
        let store = store.context("the new store has no name")?;
        let placed = Placed::open(&through.join(format!("placed-{store}.jsonl")), Arc::clone(&to.blobs))?;
        Ok(Self { from, to, archive, placed, bar: progress_bar() })
    }

    /// Copies what is new into the new store; returns the rows' point.
    async fn copy(&self) -> Result<(String, Summary)> {
        let watch = follow(&self.bar);
        let (catalog, blobs) = (self.from.catalog(), self.from.blobs().as_ref());
        let keep = Keep::Store(&self.placed);
        let taken = berth_backup::take(&self.archive, catalog, blobs, CollectJob::KIND, keep, &watch).await?;
        // Earlier points served their purpose.
        berth_backup::prune(&self.archive, 1, &watch).await?;
        Ok(taken)
    }

    /// Copies the last of the bytes and the rows, while nothing changes.
    async fn bring_over(&self) -> Result<(String, Restored)> {
        tokio::time::sleep(FOLLOWED).await;
        let (name, summary) = self.copy().await?;
        let (watch, blobs) = (follow(&self.bar), self.to.blobs.as_ref());
        let keep = Keep::Store(&self.placed);
        let restored =
            berth_backup::restore(&self.archive, (&name, &summary), &self.to.catalog, (blobs, keep), &watch);
        let restored = restored.await?;
        Ok((name, restored))
    }

    /// Returns whether the registry was read-only before.
    async fn set_read_only(&self, on: bool) -> Result<bool> {
        let catalog = self.from.catalog();
        let now = catalog.clock().now();
        let changed = catalog.write(async move |tx| mode::set_read_only(tx, on, now).await).await?;
        Ok(on && !changed)
    }
}
