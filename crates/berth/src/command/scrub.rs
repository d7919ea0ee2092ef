//! `berth scrub`: reads everything that is stored and compares it with its digests.

use std::process::ExitCode;

use anyhow::Result;
use berth_registry::ScrubJob;
use serde_json::{Value, json};

use super::{block_on, job, print};
use crate::cli;
use crate::{config, operator};

pub(super) fn run(arguments: cli::Scrub) -> Result<ExitCode> {
    let rate = arguments.bytes_per_second;
    let config = config::load(arguments.place.into())?.config;
    block_on(async {
        operator::note(&config, "scrub", json!({})).await;
        Ok(())
    })?;
    let report = job::run_to_end(&config, ScrubJob::KIND, ScrubJob::payload(rate))?;
    let number = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or(0);
    print(format!(
        "checked {} blobs of {} bytes: {} damaged, {} unreadable, {} recovered; removed {} orphan files of {} bytes, and what {} uploads left\n",
        number("checked"),
        number("bytes"),
        number("damaged"),
        number("unreadable"),
        number("recovered"),
        number("orphans"),
        number("orphan_bytes"),
        number("leftovers"),
    ))?;
    Ok(if number("damaged") + number("unreadable") == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
