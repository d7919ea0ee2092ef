//! Log lines: for eyes on the standard error, or as JSON on the standard output.

use std::io::{self, IsTerminal as _};

use anyhow::{Context as _, anyhow};
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::config::{Log, LogFormat};

/// A reader beside the log lines, with a filter of its own.
pub(crate) type Beside = Box<dyn Layer<Registry> + Send + Sync>;

/// Tells whether log lines are for eyes.
pub(crate) fn is_human(log: &Log) -> bool {
    match log.format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => io::stdout().is_terminal(),
    }
}

/// Starts logging for the rest of the process. What `log.level` leaves out still reaches `beside`.
pub(crate) fn start(log: &Log, beside: Option<Beside>) -> anyhow::Result<()> {
    subscriber(log, beside)?.try_init().map_err(|error| anyhow!("logging can't start: {error}"))
}

fn subscriber(log: &Log, beside: Option<Beside>) -> anyhow::Result<impl Subscriber + Send + Sync> {
    let filter = EnvFilter::try_new(&log.level).with_context(|| format!("log.level {:?}", log.level))?;
    let lines = fmt::layer();
    let lines = if is_human(log) {
        lines.with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).with_target(false).boxed()
    } else {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    };
    Ok(Registry::default().with(beside).with(lines.with_filter(filter)))
}

#[cfg(test)]
mod tests {
    use tracing::level_filters::LevelFilter;
    use tracing::subscriber::with_default;
    use tracing_subscriber::layer::Identity;

    use super::*;

    #[test]
    fn spans_are_off_unless_somebody_beside_wants_them() {
        let span = || tracing::debug_span!("request");
        let log = Log::default();
        let alone = subscriber(&log, None).unwrap();
        assert_eq!(alone.max_level_hint(), Some(LevelFilter::INFO));
        with_default(alone, || assert!(span().is_disabled()));

        let wants_spans = Identity::new().with_filter(LevelFilter::DEBUG).boxed();
        let beside = subscriber(&log, Some(wants_spans)).unwrap();
        assert_eq!(beside.max_level_hint(), Some(LevelFilter::DEBUG));
        with_default(beside, || assert!(!span().is_disabled()));
    }
}
