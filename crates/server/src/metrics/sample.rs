//! Values that have to be asked for when somebody looks: sizes of the store, lengths of queues.

use std::fmt;

use futures_util::future::BoxFuture;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Finds out values at scrape time. What it can't find out it leaves out.
pub type Sampler = Box<dyn Fn() -> BoxFuture<'static, Vec<Sample>> + Send + Sync>;

/// One metric and its value for each set of labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Name without the `berth_` in front, with its unit at the end: `store_capacity_bytes`. Counters get `_total`.
    pub name: &'static str,
    /// What the metric says, in a sentence.
    pub help: &'static str,
    /// Whether it may fall.
    pub kind: SampleKind,
    /// The values.
    pub points: Vec<Point>,
}

/// Whether a metric may fall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleKind {
    /// Rises and falls.
    Gauge,
    /// Only rises, from the start of the process or of the store.
    Counter,
}

/// A value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// What sets this value apart from the metric's others.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

impl Sample {
    /// A gauge without labels.
    pub fn gauge(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { name, help, kind: SampleKind::Gauge, points: vec![Point { labels: Vec::new(), value }] }
    }

    /// A counter without labels.
    pub fn counter(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { kind: SampleKind::Counter, ..Self::gauge(name, help, value) }
    }
}

/// The samples of one scrape.
#[derive(Debug)]
pub(super) struct Samples(pub(super) Vec<Sample>);

impl Collector for Samples {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for sample in &self.0 {
            let kind = match sample.kind {
                SampleKind::Gauge => MetricType::Gauge,
                SampleKind::Counter => MetricType::Counter,
            };
            let mut metric = encoder.encode_descriptor(sample.name, sample.help, None, kind)?;
            for point in &sample.points {
                let labels: &[(&str, String)] = &point.labels;
                let mut value = metric.encode_family(&labels)?;
                match sample.kind {
                    SampleKind::Gauge => value.encode_gauge(&point.value)?,
                    SampleKind::Counter => value.encode_counter::<NoLabelSet, _, f64>(&point.value, None)?,
                }
            }
        }
        Ok(())
    }
}
