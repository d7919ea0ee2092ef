//! Who is in, who waits, who was turned away.

use std::fmt;
use std::sync::atomic::Ordering;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::{Class, Overload};

const REASONS: [&str; 2] = ["full", "client"];

/// Shows [`Overload`] to Prometheus.
#[derive(Debug)]
pub(crate) struct OverloadMetrics(pub(crate) std::sync::Arc<Overload>);

impl Collector for OverloadMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let overload = &self.0;
        let help = "Requests let in and not ended, by kind";
        let mut metric = encoder.encode_descriptor("http_class_in_flight", help, None, MetricType::Gauge)?;
        for class in Class::ALL {
            let count = overload.in_flight[class as usize].load(Ordering::Relaxed);
            metric.encode_family(&[("class", class.as_str())])?.encode_gauge(&count)?;
        }
        let help = "Requests that wait to be let in, by kind";
        let mut metric = encoder.encode_descriptor("http_class_queued", help, None, MetricType::Gauge)?;
        for class in Class::ALL {
            metric.encode_family(&[("class", class.as_str())])?.encode_gauge(&overload.queue.count(class))?;
        }
        let help = "Requests turned away: the server was full, or the client had its share";
        let mut metric = encoder.encode_descriptor("http_requests_shed", help, None, MetricType::Counter)?;
        for class in Class::ALL {
            for (reason, count) in REASONS.iter().zip(&overload.shed[class as usize]) {
                let labels = [("class", class.as_str()), ("reason", reason)];
                let count = count.load(Ordering::Relaxed);
                metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(&count, None)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Overload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overload").field("work", &self.work).finish_non_exhaustive()
    }
}
