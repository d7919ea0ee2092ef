//! `berth restore`: makes an empty data directory hold what a backup holds.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use berth_backup::{Archive, Restored};
use serde_json::json;

use super::progress::{follow, progress_bar, say};
use super::{block_on, print};
use crate::cli;
use crate::config::{self, Config};
use crate::{data, operator};

pub(super) fn run(arguments: cli::Restore) -> Result<ExitCode> {
    let (shelf, point) = (arguments.kept.shelf()?, arguments.point);
    let config = config::load(arguments.place.into())?.config;
    block_on(async {
        let archive = Archive::open(shelf).await?;
        let lock = data::lock(&config)?
            .with_context(|| format!("{} is in use by another berth", config.data_dir.display()))?;
        let restored = restore(&config, &archive, &point).await;
        archive.close().await;
        Ok((restored, lock))
    })
    // The lock outlives the runtime.
    .and_then(|(restored, lock)| {
        drop(lock);
        restored
    })
}

async fn restore(config: &Config, archive: &Archive, point: &str) -> Result<ExitCode> {
    let (name, summary) = archive.choose(Some(point).filter(|point| *point != "latest")).await?;
    let new = data::create(config, Some(&name)).await?;
    say(format!("restoring point {name}; if this is interrupted, run it again with --point {name}\n"))?;
    let bar = progress_bar();
    let watch = follow(&bar);
    let restored =
        berth_backup::restore(archive, (&name, &summary), &new.catalog, new.blobs.as_ref(), &watch).await?;
    new.finish().await?;
    note(config, &name).await;
    bar.finish_and_clear();
    for problem in &restored.problems {
        print(format!("{}: {}\n", problem.digest, problem.reason))?;
    }
    if let Some(position) = restored.broken_event {
        print(format!("event {position}: its hash does not follow from the one before\n"))?;
    }
    print(summary_of(&name, &restored))?;
    let whole = restored.problems.is_empty() && restored.broken_event.is_none();
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Begins the trail of the new registry with where it came from. The backup holds none.
async fn note(config: &Config, point: &str) {
    match data::open_trail(config).await {
        Ok(trail) => operator::note_in(&trail, "restore", json!({ "point": point })).await,
        Err(error) => eprintln!("not recorded in the audit trail: {error:#}"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn summary_of(name: &str, restored: &Restored) -> String {
    let resumed = match restored.resumed {
        0 => String::new(),
        rows => format!("{rows} rows were there from a restore that was interrupted\n"),
    };
    let per_gb = restored.seconds / (restored.bytes.max(1) as f64 / 1e9);
    format!(
        "restored {name}: {} repositories, {} manifests, {} tags, {} events\n\
         {} blobs of {} bytes compared with their digests, {} problems\n\
         {resumed}{:.1} s, {per_gb:.1} s per GB\n",
        restored.repositories,
        restored.manifests,
        restored.tags,
        restored.events,
        restored.blobs,
        restored.bytes,
        restored.problems.len(),
        restored.seconds,
    )
}
