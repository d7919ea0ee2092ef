//! Log lines: for eyes on the standard error, or as JSON on the standard output.

use std::io::{self, IsTerminal as _};

use anyhow::{Context as _, anyhow};
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Tells whether log lines are for eyes.
pub(crate) fn is_human(log: &Log) -> bool {
    match log.format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => io::stdout().is_terminal(),
    }
}

/// Starts logging for the rest of the process.
pub(crate) fn start(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&log.level).with_context(|| format!("log.level {:?}", log.level))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    if is_human(log) {
        builder.with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    }
    .map_err(|error| anyhow!("logging can't start: {error}"))
}
