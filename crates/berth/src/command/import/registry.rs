//! `berth import registry`: pulls from a registry that is running.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use berth_catalog::job::State;
use berth_registry::{PullJob, PullOrder, PullReport, Registry};
use serde_json::json;

use crate::cli::ImportRegistry;
use crate::command::{block_on, job, print};
use crate::config::{self, Config};
use crate::{data, operator};

pub(super) fn run(arguments: ImportRegistry) -> Result<ExitCode> {
    let (now, status, cancel) = (arguments.now, arguments.status, arguments.cancel);
    let order = order(&arguments)?;
    let config = config::load(arguments.place.into())?.config;
    if status {
        return block_on(tell(&config));
    }
    if cancel {
        return block_on(call_off(&config));
    }
    block_on(async {
        operator::note(&config, "import_registry", json!({ "registry": order.registry })).await;
        Ok(())
    })?;
    if !now && !order.dry_run {
        return block_on(begin(&config, &order));
    }
    let enqueued = async |registry: &Registry| Ok(registry.start_pull(&order).await?);
    let report: PullReport = serde_json::from_value(job::run_enqueued(&config, PullJob::KIND, enqueued)?)?;
    show(&report)?;
    Ok(if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn order(arguments: &ImportRegistry) -> Result<PullOrder> {
    Ok(PullOrder {
        registry: arguments.registry.clone().unwrap_or_default(),
        plain_http: arguments.plain_http,
        // Whoever works it may run elsewhere.
        ca_file: arguments.ca_file.as_deref().map(absolute).transpose()?,
        username: arguments.username.clone(),
        password_file: arguments.password_file.as_deref().map(absolute).transpose()?,
        auth_file: arguments.authfile.as_deref().map(absolute).transpose()?,
        repositories: arguments.repository.clone(),
        names: arguments.repositories_from.as_deref().map(names).transpose()?,
        tags: arguments.tag.clone(),
        exclude: arguments.exclude.clone(),
        prefix: arguments.prefix.clone(),
        rename: arguments.rename.clone(),
        dry_run: arguments.dry_run,
        parallel: arguments.parallel.unwrap_or(0).into(),
        bytes_per_second: arguments.bytes_per_second,
    })
}

fn absolute(file: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(file).with_context(|| format!("{} can't be read", file.display()))
}

/// Reads names, one a line; empty lines and comments are left out.
fn names(file: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
    let names: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(ToOwned::to_owned)
        .collect();
    if names.is_empty() {
        bail!("{} names no repository", file.display());
    }
    Ok(names)
}

async fn begin(config: &Config, order: &PullOrder) -> Result<ExitCode> {
    let lock = data::lock(config)?;
    let shared = config.database.url.is_some();
    let (registry, when) = match (&lock, shared) {
        (_, true) => (data::join(config).await?, "the first node that is free works it"),
        (Some(_), false) => {
            (data::open(config, data::Role::Command).await?.registry, "it begins when `berth serve` starts")
        }
        (None, false) => (data::join(config).await?, "the running server works it now"),
    };
    let start = async |registry: &Registry| Ok(registry.start_pull(order).await?);
    job::leave(config, registry, when, start).await?;
    drop(lock);
    Ok(ExitCode::SUCCESS)
}

async fn tell(config: &Config) -> Result<ExitCode> {
    data::must_exist(config)?;
    let Some(last) = data::join(config).await?.last_pull().await? else {
        print("no import from a registry was begun today\n")?;
        return Ok(ExitCode::SUCCESS);
    };
    // While it waits for its first turn it says nothing.
    let report: PullReport = serde_json::from_str(last.progress.as_deref().unwrap_or("{}"))?;
    show(&report)?;
    let error = last.error.map_or_else(String::new, |error| format!(": {error}"));
    let stands = match last.state {
        State::Queued => "waits for its turn",
        State::Running => "is under way",
        State::Done => "has ended",
        State::Failed => "has failed",
    };
    print(format!("job {} {stands}{error}\n", last.id.0))?;
    Ok(if last.state == State::Failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn call_off(config: &Config) -> Result<ExitCode> {
    data::must_exist(config)?;
    let found = data::join(config).await?.call_off_pull().await?;
    print(if found { "the import is called off; what it took stays\n" } else { "no import is under way\n" })?;
    Ok(ExitCode::SUCCESS)
}

fn show(report: &PullReport) -> Result<()> {
    for problem in &report.problems {
        print(format!("{problem}\n"))?;
    }
    let (took, fetched) = if report.dry_run { ("would move", "to fetch") } else { ("moved", "fetched") };
    Ok(print(format!(
        "{} repositories: {} tags {took}, {} were here already, {} did not come in\n\
         {} manifests ({} of them signatures and the like) and {} blobs of {} bytes {fetched}; {} blobs linked, {} transfers resumed\n",
        report.repositories,
        report.tags,
        report.same,
        report.failed,
        report.manifests,
        report.referrers,
        report.blobs,
        report.bytes,
        report.linked,
        report.resumed,
    ))?)
}
