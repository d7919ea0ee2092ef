//! `berth import`: takes over another registry's store in place.

mod registry;

use std::process::ExitCode;

use anyhow::{Result, bail};
use berth_registry::{ImportJob, ImportReport, OldRegistry, Registry};
use serde_json::json;

use super::{block_on, job, print};
use crate::cli::{self, Address};
use crate::config::{self, Config};
use crate::{data, operator};

pub(super) fn run(arguments: cli::Import) -> Result<ExitCode> {
    let cli::Import { command, from, bucket, finish, now, status, place } = arguments;
    if let Some(cli::ImportCommand::Registry(arguments)) = command {
        return registry::run(*arguments);
    }
    let config = config::load(place.into())?.config;
    let from = from.map(|from| old_registry(&config, from.into(), &bucket)).transpose()?;
    if status {
        return block_on(tell(&config));
    }
    block_on(async {
        operator::note(&config, "import", json!({ "finish": finish })).await;
        Ok(())
    })?;
    if !now {
        return block_on(begin(&config, from.as_ref(), finish));
    }
    if from.is_none() {
        data::must_exist(&config)?;
    }
    let enqueued = async |registry: &Registry| Ok(registry.start_import(from.as_ref(), finish).await?);
    let report = job::run_enqueued(&config, ImportJob::KIND, enqueued)?;
    let report: ImportReport = serde_json::from_value(report)?;
    let end = match report.foreign {
        0 => format!("{} blobs were moved, the old store is not needed any more\n", report.moved),
        _ => "bytes stay where they lie until `berth import --finish`\n".to_owned(),
    };
    show(&report)?;
    print(end)?;
    Ok(if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says what is to be imported, in the registry's words.
fn old_registry(config: &Config, from: Address, flags: &cli::BucketFlags) -> Result<OldRegistry> {
    match from {
        Address::Bucket(url) => data::old_bucket(config, &url, flags),
        Address::Directory(_) if config.is_stateless() => bail!(
            "nodes that keep nothing have no data directory beside which an old directory lies: import it into one, then bring it over with `berth migrate`"
        ),
        Address::Directory(path) => Ok(OldRegistry::Directory(path)),
    }
}

async fn begin(config: &Config, from: Option<&OldRegistry>, finish: bool) -> Result<ExitCode> {
    let lock = data::lock(config)?;
    let (registry, when) = match &lock {
        Some(_) if config.is_stateless() => (
            data::open(config, data::Role::Command).await?.registry,
            "images can be pulled now, the running nodes do the rest",
        ),
        Some(_) if from.is_some() => {
            (data::open(config, data::Role::Command).await?.registry, "it begins when `berth serve` starts")
        }
        Some(_) => {
            data::must_exist(config)?;
            (data::open(config, data::Role::Command).await?.registry, "it goes on when `berth serve` starts")
        }
        None => (data::join(config).await?, "images can be pulled now, the running server does the rest"),
    };
    let start = async |registry: &Registry| Ok(registry.start_import(from, finish).await?);
    job::leave(config, registry, when, start).await?;
    drop(lock);
    Ok(ExitCode::SUCCESS)
}

async fn tell(config: &Config) -> Result<ExitCode> {
    data::must_exist(config)?;
    let report = data::join(config).await?.import_report().await?;
    show(&report)?;
    let stands = match (report.complete, report.repositories) {
        (true, _) => "everything is taken in; `berth import --finish` brings the bytes in\n",
        (false, 0) => "no import is under way, or it has just begun\n",
        (false, _) => "the import is under way\n",
    };
    print(stands)?;
    Ok(ExitCode::SUCCESS)
}

fn show(report: &ImportReport) -> Result<()> {
    for problem in &report.problems {
        print(format!("{problem}\n"))?;
    }
    Ok(print(format!(
        "{} repositories, {} manifests and {} tags taken in, {} problems\n\
         {} blobs of {} bytes lie in the old store\n",
        report.repositories,
        report.manifests,
        report.tags,
        report.problems.len(),
        report.foreign,
        report.foreign_bytes,
    ))?)
}
