//! `berth backup`: keeps points in time, lists, verifies and prunes them.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use berth_backup::{Archive, Found, State, Summary};
use berth_registry::CollectJob;

use super::progress::{follow, progress_bar};
use super::{block_on, print};
use crate::cli::{self, BackupCommand};
use crate::config::{self, Config};
use crate::data;

pub(super) fn run(arguments: cli::Backup) -> Result<ExitCode> {
    match arguments.command {
        Some(BackupCommand::List(arguments)) => list(&arguments.dir),
        Some(BackupCommand::Verify(arguments)) => verify(&arguments),
        Some(BackupCommand::Prune(arguments)) => prune(&arguments),
        None => {
            let dir = arguments.dir.context("name the directory that keeps the backup")?;
            let config = config::load(arguments.place.into())?.config;
            block_on(take(&config, &dir))
        }
    }
}

async fn take(config: &Config, dir: &Path) -> Result<ExitCode> {
    data::must_exist(config)?;
    let archive = Archive::create(dir)?;
    let registry = data::join(config).await?;
    let bar = progress_bar();
    let watch = follow(&bar);
    let taken =
        berth_backup::take(&archive, registry.catalog(), registry.blobs().as_ref(), CollectJob::KIND, &watch);
    let (name, summary) = taken.await?;
    bar.finish_and_clear();
    for problem in &summary.damaged {
        print(format!("{}: {}\n", problem.digest, problem.reason))?;
    }
    print(format!(
        "{}copied {} files of {} bytes in {:.1} s, {} damaged\n",
        line(&name, &summary),
        summary.copied,
        summary.copied_bytes,
        summary.seconds,
        summary.damaged.len()
    ))?;
    Ok(if summary.damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn list(dir: &Path) -> Result<ExitCode> {
    for point in Archive::open(dir)?.points()? {
        print(match &point.state {
            State::Whole(summary) => line(&point.name, summary),
            State::Half => {
                format!("{}: half a backup, left by one that was interrupted or is under way\n", point.name)
            }
            State::Unreadable(reason) => format!("{}: can't be read: {reason}\n", point.name),
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(name: &str, summary: &Summary) -> String {
    let (blobs, bytes, events) = (summary.blobs, summary.blob_bytes, summary.event_position);
    let damaged = match summary.damaged.len() {
        0 => String::new(),
        number => format!(", {number} damaged"),
    };
    format!("{name}: {blobs} blobs of {bytes} bytes, {events} events{damaged}\n")
}

fn verify(arguments: &cli::VerifyBackup) -> Result<ExitCode> {
    let archive = Archive::open(&arguments.dir)?;
    let mut unreadable = Vec::new();
    let points: Vec<_> = if let Some(point) = arguments.point.as_deref() {
        vec![archive.choose(Some(point).filter(|point| *point != "latest"))?]
    } else {
        let points = archive.points()?;
        unreadable.extend(points.iter().filter_map(|point| match &point.state {
            State::Unreadable(reason) => Some(format!("{}: {reason}", point.name)),
            State::Whole(_) | State::Half => None,
        }));
        points.into_iter().filter_map(Found::whole).collect()
    };
    let bar = progress_bar();
    let mut verified = berth_backup::verify(&archive, &points, &follow(&bar))?;
    verified.problems.extend(unreadable);
    bar.finish_and_clear();
    for problem in &verified.problems {
        print(format!("{problem}\n"))?;
    }
    print(format!(
        "read {} points, {} blobs of {} bytes and {} manifests: {} problems\n",
        verified.points,
        verified.blobs,
        verified.bytes,
        verified.manifests,
        verified.problems.len(),
    ))?;
    Ok(if verified.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn prune(arguments: &cli::Prune) -> Result<ExitCode> {
    // Opened first: a directory that is no backup must not become one.
    drop(Archive::open(&arguments.dir)?);
    let archive = Archive::create(&arguments.dir)?;
    let bar = progress_bar();
    let pruned = berth_backup::prune(&archive, arguments.keep.get(), &follow(&bar))?;
    bar.finish_and_clear();
    print(format!(
        "removed {} points and {} files of {} bytes, {} points stay\n",
        pruned.points, pruned.files, pruned.bytes, pruned.kept,
    ))?;
    Ok(ExitCode::SUCCESS)
}
