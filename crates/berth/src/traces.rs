//! Traces: one span per request, sent to a collector by OTLP over HTTP.
//!
//! A request keeps its span's fields and puts them into a queue when it ends; a thread of its own encodes and sends what is
//! in there. When the collector is slow or gone, the queue overflows and spans are lost: no request ever waits.

mod exporter;
mod layer;
mod request;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{ParentBasedSampler, Sampler, SdkTracerProvider};

use crate::config;
use crate::log::Beside;
use exporter::Exporter;

/// How long the end of the process waits for the last spans to be sent.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Traces that are being collected.
pub(crate) struct Traces {
    provider: SdkTracerProvider,
}

/// Starts to send traces if the configuration says where; they come in through the layer.
pub(crate) fn start(config: &config::Traces) -> anyhow::Result<Option<(Traces, Beside)>> {
    let Some(endpoint) = &config.endpoint else { return Ok(None) };
    // Variables of OpenTelemetry may add to it, such as OTEL_RESOURCE_ATTRIBUTES.
    let resource = Resource::builder()
        .with_service_name(config.service_name.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(Exporter::new(endpoint)?)
        .with_sampler(sampler(config.sample_ratio))
        .with_resource(resource)
        .build();
    let layer = layer::new(provider.tracer("berth"));
    Ok(Some((Traces { provider }, layer)))
}

impl Traces {
    /// Sends what is left. Blocks until it is sent, or for [`STOP_PATIENCE`].
    pub(crate) fn stop(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(STOP_PATIENCE) {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// Samples a share of all requests, less those whose client does not record its trace: no client gets more than the
/// share by asking for it.
fn sampler(share: f64) -> ParentBasedSampler {
    Sampler::parent_based(Sampler::TraceIdRatioBased(share))
        .with_remote_parent_sampled(Sampler::TraceIdRatioBased(share))
}
