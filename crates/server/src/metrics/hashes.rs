//! What logins cost.

use std::fmt;

use berth_access::Access;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::EncodeMetric as _;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

/// Counts the passwords that were hashed: a flood of logins shows here.
#[derive(Debug)]
pub(crate) struct HashCounter(pub(crate) Access);

impl Collector for HashCounter {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let help = "Passwords hashed to compare them";
        let metric = encoder.encode_descriptor("password_hashes", help, None, MetricType::Counter)?;
        ConstCounter::new(self.0.password_hashes()).encode(metric)
    }
}
