//! `berth restore`: makes an empty data directory hold what a backup holds.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use berth_access::Persons;
use berth_audit::ERASE;
use berth_backup::{Archive, Audited, KeptTrail, Restored, TrailRestored};
use berth_catalog::Catalog;
use berth_catalog::trail::{self, Entry, Record};
use serde_json::json;

use super::progress::{follow, progress_bar, say};
use super::{block_on, print};
use crate::cli;
use crate::config::{self, Config};
use crate::{data, operator, vault};

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
    let (trail, sealed) = match summary.trail.as_deref() {
        Some(kept) => restore_trail(config, archive, (&name, kept), &new.catalog).await?,
        None => (TrailRestored::default(), None),
    };
    let known = summary.trail.as_ref().map_or(0, |kept| kept.last);
    note_erased(config, (&name, known), &restored.erased).await?;
    new.finish().await?;
    note(config, &name).await;
    bar.finish_and_clear();
    for problem in &restored.problems {
        print(format!("{}: {}\n", problem.digest, problem.reason))?;
    }
    if let Some(position) = restored.broken_event {
        print(format!("event {position}: its hash does not follow from the one before\n"))?;
    }
    for problem in &trail.problems {
        print(format!("audit trail: {problem}\n"))?;
    }
    if let Some(error) = &sealed {
        print(format!(
            "audit trail: from where persons called can't be searched, as the vault can't be opened: {error}\n"
        ))?;
    }
    if let Some(error) = &restored.unread {
        print(format!("who was erased since the point was taken could not be read: {error}\n"))?;
    }
    print(summary_of(&name, &restored))?;
    if summary.trail.is_some() {
        print(format!(
            "{} records of the audit trail and {} archives of it\n",
            trail.records, trail.archives
        ))?;
    }
    let whole = restored.problems.is_empty() && restored.broken_event.is_none() && trail.problems.is_empty();
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says in the trail of the new registry, behind what the backup holds of it, where it came from.
async fn note(config: &Config, point: &str) {
    match data::open_trail(config).await {
        Ok(trail) => operator::note_in(&trail, "restore", json!({ "point": point })).await,
        Err(error) => eprintln!("not recorded in the audit trail: {error:#}"),
    }
}

/// Records who is erased here though the point, whose trail ends with the record `known`, knows nothing of it. Those that a run which
/// was interrupted has recorded are there.
async fn note_erased(config: &Config, (point, known): (&str, i64), erased: &[String]) -> Result<()> {
    if erased.is_empty() {
        return Ok(());
    }
    let trail = data::open_trail(config).await?;
    let behind = trail.read(async |r| trail::list(r, known, erased.len()).await).await?;
    for person in erased {
        let is_there = |record: &Record| record.entry.action == ERASE && record.entry.detail.contains(person);
        if !behind.iter().any(is_there) {
            operator::record(&trail, ERASE, json!({ "subject": person, "point": point })).await?;
        }
    }
    Ok(())
}

/// Brings the audit trail back, and fills the columns that show what is sealed. Returns why they stay empty, if they do.
async fn restore_trail(
    config: &Config,
    archive: &Archive,
    point: (&str, &KeptTrail),
    catalog: &Catalog,
) -> Result<(TrailRestored, Option<String>)> {
    let (trail, archives) = (data::open_trail(config).await?, data::archives(config));
    let into = Audited { trail: &trail, archives: archives.as_ref() };
    let (persons, sealed) = match vault::open(config, catalog).await {
        Ok(vault) => (Some(Persons::new(catalog.clone(), vault)), None),
        Err(error) => (None, Some(format!("{error:#}"))),
    };
    let reveal = async |entries: &mut [Entry]| match &persons {
        Some(persons) => berth_audit::reveal(persons, entries).await.map_err(|error| error.to_string()),
        None => Ok(()),
    };
    let bar = progress_bar();
    let restored = berth_backup::restore_trail(archive, point, into, reveal, &follow(&bar)).await?;
    bar.finish_and_clear();
    Ok((restored, sealed))
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
