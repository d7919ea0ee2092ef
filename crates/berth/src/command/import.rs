//! `berth import`: takes over another registry's store in place.

mod registry;

use std::process::ExitCode;

use anyhow::{Result, bail};
use berth_registry::{ImportJob, ImportReport};

use super::{block_on, job, print};
use crate::cli;
use crate::config::{self, Config};
use crate::data;

pub(super) fn run(arguments: cli::Import) -> Result<ExitCode> {
    let cli::Import { command, dir, finish, now, status, place } = arguments;
    if let Some(cli::ImportCommand::Registry(arguments)) = command {
        return registry::run(*arguments);
    }
    let config = config::load(place.into())?.config;
    if config.is_stateless() {
        bail!(
            "an import needs a data directory beside which the old store lies: import into one, then bring it over with `berth migrate`"
        );
    }
    if status {
        return block_on(tell(&config));
    }
    if !now {
        return block_on(begin(&config, dir.as_deref(), finish));
    }
    if dir.is_none() {
        data::must_exist(&config)?;
    }
    let enqueued =
        async |registry: &berth_registry::Registry| Ok(registry.start_import(dir.as_deref(), finish).await?);
    let report = job::run_enqueued(&config, ImportJob::KIND, enqueued)?;
    let report: ImportReport = serde_json::from_value(report)?;
    let end = match report.foreign {
        0 => format!("{} blobs were moved, the old directory is not needed any more\n", report.moved),
        _ => "bytes stay where they lie until `berth import --finish`\n".to_owned(),
    };
    show(&report)?;
    print(end)?;
    Ok(if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn begin(config: &Config, dir: Option<&std::path::Path>, finish: bool) -> Result<ExitCode> {
    let lock = data::lock(config)?;
    let (registry, when) = match &lock {
        Some(_) if dir.is_some() => (data::open(config).await?, "it begins when `berth serve` starts"),
        Some(_) => {
            data::must_exist(config)?;
            (data::open(config).await?, "it goes on when `berth serve` starts")
        }
        None => (data::join(config).await?, "images can be pulled now, the running server does the rest"),
    };
    job::refuse_read_only(config, registry.catalog()).await?;
    let id = registry.start_import(dir, finish).await?;
    print(format!("import enqueued as job {}; {when}\n", id.0))?;
    drop(registry);
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
