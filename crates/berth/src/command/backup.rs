//! `berth backup`: keeps points in time, lists, verifies and prunes them.

use std::process::ExitCode;

use anyhow::{Result, bail};
use berth_backup::{Archive, Audited, Found, State, Summary};
use berth_blobs::BucketConfig;
use berth_registry::CollectJob;
use serde_json::json;

use super::progress::{follow, progress_bar, say};
use super::{block_on, print};
use crate::cli::{self, Address, BackupCommand};
use crate::config::{self, Config};
use crate::{data, operator};

pub(super) fn run(mut arguments: cli::Backup) -> Result<ExitCode> {
    match arguments.command.take() {
        Some(BackupCommand::List(kept)) => block_on(list(&kept)),
        Some(BackupCommand::Verify(arguments)) => block_on(verify(&arguments)),
        Some(BackupCommand::Prune(arguments)) => prune(arguments),
        None => {
            let shelf = arguments.shelf()?;
            let config = config::load(arguments.place.into())?.config;
            if let Some(Address::Bucket(url)) = &arguments.address {
                refuse_own(&config, url, arguments.bucket.endpoint.as_deref())?;
            }
            data::must_exist(&config)?;
            block_on(async {
                operator::note(&config, "backup", json!({})).await;
                let archive = Archive::create(shelf).await?;
                let taken = take(&config, &archive).await;
                archive.close().await;
                taken
            })
        }
    }
}

/// Keeps a backup out of what the registry stores, and says what a backup in the same bucket is worth.
fn refuse_own(config: &Config, url: &str, endpoint: Option<&str>) -> Result<()> {
    let Some(own) = &config.storage.bucket else { return Ok(()) };
    let (bucket, backup) = (BucketConfig::new(&own.url)?, BucketConfig::new(url)?);
    let plain = |endpoint: Option<&str>| endpoint.map(|endpoint| endpoint.trim_end_matches('/').to_owned());
    if bucket.name != backup.name || plain(own.endpoint.as_deref()) != plain(endpoint) {
        return Ok(());
    }
    if overlaps(&bucket.prefix, &backup.prefix) {
        bail!("the registry keeps its blobs at {}: name another bucket for the backup", own.url);
    }
    Ok(say("the backup lies in the registry's own bucket: whoever loses that loses both\n")?)
}

/// Tells whether what a registry stores below one prefix and a backup below another would lie among each other.
fn overlaps(registry: &str, backup: &str) -> bool {
    let is_in = |inner: &str, outer: &str, folders: &[&str]| {
        let rest = if outer.is_empty() {
            Some(inner)
        } else {
            inner.strip_prefix(outer).and_then(|rest| rest.strip_prefix('/'))
        };
        rest.and_then(|rest| rest.split('/').next()).is_some_and(|folder| folders.contains(&folder))
    };
    registry == backup
        || is_in(backup, registry, &["blobs", "uploads"])
        || is_in(registry, backup, &["blobs", "points", "trail", "lease"])
}

async fn take(config: &Config, archive: &Archive) -> Result<ExitCode> {
    let registry = data::join(config).await?;
    let bar = progress_bar();
    let watch = follow(&bar);
    let (trail, archives) = (data::find_trail(config).await?, data::archives(config));
    let audited = trail.as_ref().map(|trail| Audited { trail, archives: archives.as_ref() });
    let (catalog, blobs) = (registry.catalog(), registry.blobs().as_ref());
    let taken = berth_backup::take(archive, catalog, blobs, audited, CollectJob::KIND, &watch);
    let (name, summary) = taken.await?;
    bar.finish_and_clear();
    let detail = json!({ "point": name, "damaged": summary.damaged.len() });
    operator::note(config, "backup_completed", detail).await;
    for problem in &summary.damaged {
        print(format!("{}: {}\n", problem.digest, problem.reason))?;
    }
    let problems = summary.trail.as_deref().map_or(&[][..], |trail| &trail.problems);
    for problem in problems {
        print(format!("audit trail: {problem}\n"))?;
    }
    print(format!(
        "{}copied {} files of {} bytes in {:.1} s, {} damaged\n",
        line(&name, &summary),
        summary.copied,
        summary.copied_bytes,
        summary.seconds,
        summary.damaged.len()
    ))?;
    let whole = summary.damaged.is_empty() && problems.is_empty();
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn list(kept: &cli::Kept) -> Result<ExitCode> {
    for point in Archive::open(kept.shelf()?).await?.points().await? {
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
    let records = match &summary.trail {
        Some(trail) => format!(", audit trail up to record {}", trail.last),
        None => String::new(),
    };
    format!("{name}: {blobs} blobs of {bytes} bytes, {events} events{records}{damaged}\n")
}

async fn verify(arguments: &cli::VerifyBackup) -> Result<ExitCode> {
    let archive = Archive::open(arguments.kept.shelf()?).await?;
    let mut unreadable = Vec::new();
    let points: Vec<_> = if let Some(point) = arguments.point.as_deref() {
        vec![archive.choose(Some(point).filter(|point| *point != "latest")).await?]
    } else {
        let points = archive.points().await?;
        unreadable.extend(points.iter().filter_map(|point| match &point.state {
            State::Unreadable(reason) => Some(format!("{}: {reason}", point.name)),
            State::Whole(_) | State::Half => None,
        }));
        points.into_iter().filter_map(Found::whole).collect()
    };
    let bar = progress_bar();
    let mut verified = berth_backup::verify(&archive, &points, &follow(&bar)).await?;
    verified.problems.extend(unreadable);
    bar.finish_and_clear();
    for problem in &verified.problems {
        print(format!("{problem}\n"))?;
    }
    print(format!(
        "read {} points, {} blobs of {} bytes, {} manifests and {} records of the audit trail: {} problems\n",
        verified.points,
        verified.blobs,
        verified.bytes,
        verified.manifests,
        verified.records,
        verified.problems.len(),
    ))?;
    Ok(if verified.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn prune(arguments: cli::Prune) -> Result<ExitCode> {
    let (shelf, keep) = (arguments.kept.shelf()?, arguments.keep.get());
    let config = config::load(arguments.place.into())?.config;
    block_on(async {
        let archive = Archive::change(shelf).await?;
        operator::note(&config, "backup_prune", json!({ "keep": keep })).await;
        remove(archive, keep).await
    })
}

async fn remove(archive: Archive, keep: usize) -> Result<ExitCode> {
    let bar = progress_bar();
    let pruned = berth_backup::prune(&archive, keep, &follow(&bar)).await;
    archive.close().await;
    let pruned = pruned?;
    bar.finish_and_clear();
    print(format!(
        "removed {} points and {} files of {} bytes, {} points stay\n",
        pruned.points, pruned.files, pruned.bytes, pruned.kept,
    ))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::overlaps;

    #[test]
    fn a_backup_stays_out_of_the_registrys_blobs() {
        for (registry, backup) in
            [("", ""), ("a", "a"), ("", "blobs/x"), ("a", "a/uploads"), ("points", ""), ("a/blobs/b", "a")]
        {
            assert!(overlaps(registry, backup), "{registry:?} {backup:?}");
        }
        for (registry, backup) in
            [("a", "b"), ("", "backup"), ("a", "a/backup"), ("a", ""), ("a", "a2/blobs")]
        {
            assert!(!overlaps(registry, backup), "{registry:?} {backup:?}");
        }
    }
}
