//! Sends batches of spans, and says once in a while when that fails.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};

use super::request::describe;

/// How long one batch may take, tries and pauses included.
const SEND_PATIENCE: Duration = Duration::from_secs(4);
/// How long to keep quiet about a collector that does not answer.
const QUIET: Duration = Duration::from_mins(5);

/// Sends spans to one collector.
#[derive(Debug)]
pub(super) struct Exporter {
    otlp: opentelemetry_otlp::SpanExporter,
    /// Where the HTTP client works: apart from the server's, which may end first.
    runtime: Runtime,
    endpoint: String,
    losses: Mutex<Losses>,
}

impl Exporter {
    /// Makes an exporter for the collector at `endpoint`. Connects when there is something to send.
    pub(super) fn new(endpoint: &str) -> anyhow::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("traces")
            .enable_all()
            .build()
            .context("the traces' runtime can't be started")?;
        let endpoint = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
        let otlp = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_endpoint(&endpoint)
            .with_timeout(SEND_PATIENCE)
            .build()
            .context("traces can't be sent")?;
        Ok(Self { otlp, runtime, endpoint, losses: Mutex::default() })
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let batch = batch.into_iter().map(describe).collect();
        // On the batches' own thread, which has nothing else to do and no runtime for the HTTP client.
        let sent = self.runtime.block_on(self.otlp.export(batch));
        if let Err(error) = &sent
            && let Some(lost) = self.losses.lock().add(count, Instant::now())
        {
            let endpoint = &self.endpoint;
            tracing::warn!(endpoint, lost, %error, "traces could not be sent; the next such line is minutes away");
        }
        sent
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.otlp.set_resource(resource);
    }
}

/// Spans that never reached the collector.
#[derive(Debug, Default)]
struct Losses {
    unsaid: usize,
    said_at: Option<Instant>,
}

impl Losses {
    /// Counts lost spans. Returns how many there were since the last word of it, if it is time for another.
    fn add(&mut self, spans: usize, now: Instant) -> Option<usize> {
        self.unsaid += spans;
        if self.said_at.is_some_and(|then| now.saturating_duration_since(then) < QUIET) {
            return None;
        }
        self.said_at = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_told_once_in_a_while() {
        let mut losses = Losses::default();
        let start = Instant::now();
        assert_eq!(losses.add(3, start), Some(3));
        assert_eq!(losses.add(4, start + QUIET / 2), None);
        assert_eq!(losses.add(5, start + QUIET), Some(9));
        assert_eq!(losses.add(6, start + QUIET), None);
    }
}
