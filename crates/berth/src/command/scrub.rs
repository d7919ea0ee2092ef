//! `berth scrub`: reads everything that is stored and compares it with its digests.

use std::process::ExitCode;

use anyhow::Result;
use berth_registry::ScrubJob;
use serde_json::Value;

use super::{block_on, job, print};
use crate::cli;
use crate::config;

pub(super) fn run(arguments: cli::Scrub) -> Result<ExitCode> {
    let rate = arguments.bytes_per_second;
    let config = config::load(arguments.place.into())?.config;
    block_on(async move {
        let report = job::run_to_end(&config, ScrubJob::KIND, ScrubJob::payload(rate)).await?;
        let number = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or(0);
        print(format!(
            "checked {} blobs of {} bytes: {} damaged, {} recovered; removed {} orphan files of {} bytes\n",
            number("checked"),
            number("bytes"),
            number("damaged"),
            number("recovered"),
            number("orphans"),
            number("orphan_bytes"),
        ))?;
        Ok(if number("damaged") == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}
