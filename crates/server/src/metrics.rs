//! Metrics, as OpenMetrics text.
//!
//! What requests touch are plain atomics in tables made at start: no label is hashed and no lock taken on the way.
//! What other rooms count comes in through their own registries, what must be asked for through [`Sampler`]s.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

mod hashes;
mod histogram;
mod http;
mod mode;
mod sample;

pub(crate) use self::hashes::HashCounter;
pub(crate) use self::http::{Finished, HttpMetrics, Outcome};
pub(crate) use self::mode::ReadOnlyGauge;
pub use sample::{Point, Sample, SampleKind, Sampler};

/// The media type of [`Metrics::render`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long a scrape waits for samplers; those that take longer are missing from it.
const SAMPLE_TIMEOUT: Duration = Duration::from_secs(5);

/// All metrics of the process.
pub(crate) struct Metrics {
    /// What requests count.
    pub(crate) http: Arc<HttpMetrics>,
    registry: Registry,
    others: Vec<Registry>,
    samplers: Vec<Sampler>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let http = Arc::new(HttpMetrics::default());
        let mut registry = Registry::with_prefix("berth");
        registry.register(
            "build",
            "The running version",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        registry.register_collector(Box::new(Arc::clone(&http)));
        Self { http, registry, others: Vec::new(), samplers: Vec::new() }
    }

    /// Adds what `collector` counts.
    pub(crate) fn register(&mut self, collector: Box<dyn Collector>) {
        self.registry.register_collector(collector);
    }

    /// Adds what others count.
    pub(crate) fn add(&mut self, registry: Registry) {
        self.others.push(registry);
    }

    /// Adds what `sampler` finds at each scrape.
    pub(crate) fn sample(&mut self, sampler: Sampler) {
        self.samplers.push(sampler);
    }

    /// Writes every metric as OpenMetrics text.
    pub(crate) async fn render(&self) -> Result<String, std::fmt::Error> {
        let sampling = self.samplers.iter().map(|sampler| tokio::time::timeout(SAMPLE_TIMEOUT, sampler()));
        let found = join_all(sampling).await.into_iter().filter_map(Result::ok).flatten().collect();

        let mut sampled = Registry::with_prefix("berth");
        sampled.register_collector(Box::new(sample::Samples(found)));
        let mut out = String::with_capacity(16 * 1024);
        for registry in [&self.registry].into_iter().chain(&self.others).chain([&sampled]) {
            text::encode_registry(&mut out, registry)?;
        }
        text::encode_eof(&mut out)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests;
