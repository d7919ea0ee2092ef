//! Whether the registry takes pushes.

use std::fmt;

use berth_access::ReadOnly;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

/// Shows the switch for read-only mode as 0 or 1.
#[derive(Debug)]
pub(crate) struct ReadOnlyGauge(pub(crate) ReadOnly);

impl Collector for ReadOnlyGauge {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let help = "1 while pushes and deletes are refused";
        let mut metric = encoder.encode_descriptor("read_only", help, None, MetricType::Gauge)?;
        metric.encode_gauge(&u64::from(self.0.is_on()))
    }
}
