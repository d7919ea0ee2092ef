//! Who was refused or held back.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::{Class, Limits};

/// Shows [`Limits`] to Prometheus.
#[derive(Debug)]
pub(crate) struct LimitMetrics(pub(crate) Arc<Limits>);

impl Collector for LimitMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let limits = &self.0;
        for (name, help, counts) in [
            ("rate_limit_refused", "Requests refused because their client began too much", &limits.refused),
            ("rate_limit_delayed", "Requests held back because they came too early", &limits.delayed),
        ] {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for class in Class::ALL {
                let count = counts[class as usize].load(Ordering::Relaxed);
                let labels = [("class", class.as_str())];
                metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(&count, None)?;
            }
        }
        let help = "Requests held back now";
        let mut metric = encoder.encode_descriptor("rate_limit_held", help, None, MetricType::Gauge)?;
        metric.encode_gauge(&(limits.held.count() as u64))?;
        let help = "Clients forgotten before their time because a flood filled the table";
        let mut metric =
            encoder.encode_descriptor("rate_limit_forgotten", help, None, MetricType::Counter)?;
        let forgotten = limits.tables.iter().flatten().map(super::Table::forgotten).sum::<u64>()
            + limits.logins.forgotten();
        metric.encode_counter::<NoLabelSet, _, f64>(&forgotten, None)?;
        Ok(())
    }
}
