//! `berth gc`: collects garbage, or proves that collection lost nothing.

use std::process::ExitCode;

use anyhow::Result;
use berth_registry::CollectJob;
use serde_json::{Value, json};

use super::{block_on, job, print};
use crate::cli;
use crate::config::{self, Config};
use crate::{data, operator};

pub(super) fn run(arguments: cli::Gc) -> Result<ExitCode> {
    let delay = arguments.delay.map(|delay| delay.as_secs());
    let (now, dry_run, verify_only) = (arguments.now, arguments.dry_run, arguments.verify);
    let config = config::load(arguments.place.into())?.config;
    if verify_only {
        return block_on(verify(&config));
    }
    if !dry_run {
        block_on(async {
            operator::note(&config, "gc", json!({ "delay_seconds": delay })).await;
            Ok(())
        })?;
    }
    let payload = CollectJob::payload(delay, dry_run);
    if now || dry_run {
        let report = job::run_to_end(&config, CollectJob::KIND, payload)?;
        print(summary(&report))?;
    } else {
        block_on(enqueue(&config, payload))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn enqueue(config: &Config, payload: String) -> Result<()> {
    data::must_exist(config)?;
    let shared = config.database.url.is_some();
    let served = shared || data::lock(config)?.is_none();
    let catalog = data::join_catalog(config).await?;
    job::refuse_read_only(config, &catalog).await?;
    let id = job::enqueue(&catalog, CollectJob::KIND, payload).await?;
    let when = match (shared, served) {
        (true, _) => "the first node that is free works it",
        (false, true) => "the running server works it now",
        (false, false) => "it runs when `berth serve` starts",
    };
    Ok(print(format!("collection enqueued as job {}; {when}\n", id.0))?)
}

fn summary(report: &Value) -> String {
    let number = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or(0);
    let dry = report.get("dry_run").and_then(Value::as_bool).unwrap_or(false);
    let (collected, freed, end) = if dry {
        let end =
            "the blobs of those manifests are not counted: they become due when the manifests are gone\n";
        ("would collect", "would free", if number("manifests") > 0 { end } else { "" })
    } else {
        ("collected", "freed", "")
    };
    format!(
        "{collected} {} manifests, {} links, {} blobs of {} bytes ({} links reviewed, {} uploads expired)\n\
         {freed} {} files, {} bytes\n{end}",
        number("manifests"),
        number("links"),
        number("blobs"),
        number("blob_bytes"),
        number("links_reviewed"),
        number("uploads_expired"),
        number("files_freed"),
        number("bytes_freed"),
    )
}

async fn verify(config: &Config) -> Result<ExitCode> {
    data::must_exist(config)?;
    let report = data::join(config).await?.verify(|_| ()).await?;
    for problem in &report.problems {
        let blob = problem.blob.map_or_else(String::new, |digest| format!(" needs {digest}:"));
        print(format!("{}@{}{blob} {}\n", problem.repository, problem.manifest, problem.reason))?;
    }
    for wrong in &report.disagreements {
        print(format!("{} in the store: {}\n", wrong.location, wrong.reason))?;
    }
    if let Some(position) = report.broken_event {
        print(format!("event {position}: its hash does not follow from the one before\n"))?;
    }
    print(format!(
        "{} manifests and {} blobs checked, {} problems\n\
         {} files of {} bytes compared with their rows, {} disagreements\n\
         ledger: {} bytes collected = {} freed + {} not there to be freed + {} waiting: {}\n",
        report.manifests,
        report.blobs,
        report.problems.len(),
        report.files,
        report.file_bytes,
        report.disagreements.len(),
        report.collected_bytes,
        report.freed_bytes,
        report.difference_bytes,
        report.trash_bytes,
        if report.ledger_adds_up() { "adds up" } else { "DOES NOT ADD UP" },
    ))?;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
