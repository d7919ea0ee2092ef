//! What requests count.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::histogram::Histogram;
use crate::context::Endpoint;

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "other"];
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "aborted"];
const OUTCOMES: [&str; 4] = ["success", "refused", "failed", "aborted"];
const PULLED: [&str; 2] = ["manifest", "blob"];
const PUSHED: [&str; 2] = ["manifest", "upload"];

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The client has the whole answer, and it was what was asked for.
    Success,
    /// The client has the whole answer, and it was a refusal (4xx).
    Refused,
    /// The server couldn't do it (5xx), or couldn't finish the body it had begun.
    Failed,
    /// The client went away first.
    Aborted,
}

/// Counts and times requests.
#[derive(Debug, Default)]
pub(crate) struct HttpMetrics {
    requests: [[[AtomicU64; CLASSES.len()]; METHODS.len()]; Endpoint::ALL.len()],
    pulls: [[AtomicU64; OUTCOMES.len()]; PULLED.len()],
    pushes: [[AtomicU64; OUTCOMES.len()]; PUSHED.len()],
    pull_latency: [Histogram; PULLED.len()],
    push_latency: [Histogram; PUSHED.len()],
    /// Requests being answered.
    pub(crate) in_flight: AtomicU64,
    /// Requests that send a part of a blob.
    pub(crate) uploads_in_flight: AtomicU64,
    /// Pulls of blobs that were sent on to the store.
    pub(crate) redirects: AtomicU64,
    /// Answers from memory while the database could not be reached.
    pub(crate) stale: AtomicU64,
    /// Handlers that panicked.
    pub(crate) panics: AtomicU64,
}

/// A request that has ended.
#[derive(Debug)]
pub(crate) struct Finished<'r> {
    pub(crate) endpoint: Endpoint,
    pub(crate) method: &'r Method,
    /// None when the client went away before there was one.
    pub(crate) status: Option<StatusCode>,
    pub(crate) outcome: Outcome,
    /// From the request's header to the response's.
    pub(crate) until_head: Duration,
    /// From the request's header to the response's last byte.
    pub(crate) until_end: Duration,
}

impl HttpMetrics {
    /// Counts a request that has ended.
    pub(crate) fn finish(&self, request: &Finished<'_>) {
        let method = method_index(request.method);
        let class = match (request.outcome, request.status) {
            (Outcome::Aborted, _) | (_, None) => 5,
            (_, Some(status)) => usize::from(status.as_u16() / 100).clamp(1, 5) - 1,
        };
        increment(&self.requests[request.endpoint as usize][method][class]);

        let outcome = request.outcome as usize;
        let pull = match request.endpoint {
            Endpoint::Manifest => Some(0),
            Endpoint::Blob => Some(1),
            _ => None,
        };
        let push = match request.endpoint {
            Endpoint::Manifest => Some(0),
            Endpoint::Upload => Some(1),
            _ => None,
        };
        if let (Some(pull), &Method::GET) = (pull, request.method) {
            increment(&self.pulls[pull][outcome]);
            if request.outcome == Outcome::Success {
                self.pull_latency[pull].observe(request.until_head);
            }
        }
        if let (Some(push), &(Method::PUT | Method::POST | Method::PATCH)) = (push, request.method) {
            increment(&self.pushes[push][outcome]);
            if request.outcome == Outcome::Success {
                self.push_latency[push].observe(request.until_end);
            }
        }
    }
}

impl Collector for HttpMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        self.encode_requests(&mut encoder)?;
        encode_outcomes(&mut encoder, "pulls", "Downloads of manifests and blobs", PULLED, &self.pulls)?;
        encode_outcomes(
            &mut encoder,
            "pushes",
            "Uploads of manifests and of parts of blobs",
            PUSHED,
            &self.pushes,
        )?;
        let help = "Time until a successful download began";
        encode_latency(&mut encoder, "pull_latency_seconds", help, PULLED, &self.pull_latency)?;
        let help = "Time until a successful upload was acknowledged";
        encode_latency(&mut encoder, "push_latency_seconds", help, PUSHED, &self.push_latency)?;
        for (name, help, value) in [
            ("http_requests_in_flight", "Requests being answered", &self.in_flight),
            ("uploads_in_flight", "Requests that send a part of a blob", &self.uploads_in_flight),
        ] {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            metric.encode_gauge(&value.load(Ordering::Relaxed))?;
        }
        for (name, help, value) in [
            ("blob_redirects", "Downloads of blobs that were sent on to the store", &self.redirects),
            (
                "stale_pulls",
                "Pulls answered from memory because the database could not be reached",
                &self.stale,
            ),
            ("http_panics", "Requests that failed by a defect of the server", &self.panics),
        ] {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            metric.encode_counter::<NoLabelSet, _, f64>(&value.load(Ordering::Relaxed), None)?;
        }
        Ok(())
    }
}

impl HttpMetrics {
    /// Writes the requests of every endpoint, method and status class that occurred.
    fn encode_requests(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let help = "Requests that have ended";
        let mut metric = encoder.encode_descriptor("http_requests", help, None, MetricType::Counter)?;
        for (endpoint, by_method) in Endpoint::ALL.iter().zip(&self.requests) {
            for (method, by_class) in METHODS.iter().zip(by_method) {
                for (class, count) in CLASSES.iter().zip(by_class) {
                    let count = count.load(Ordering::Relaxed);
                    if count == 0 {
                        continue;
                    }
                    let labels = [("endpoint", endpoint.as_str()), ("method", method), ("status", class)];
                    metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(&count, None)?;
                }
            }
        }
        Ok(())
    }
}

fn encode_outcomes(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    what: [&str; 2],
    counts: &[[AtomicU64; OUTCOMES.len()]; 2],
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (what, by_outcome) in what.iter().zip(counts) {
        for (outcome, count) in OUTCOMES.iter().zip(by_outcome) {
            let labels = [("endpoint", *what), ("outcome", outcome)];
            let count = count.load(Ordering::Relaxed);
            metric.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(&count, None)?;
        }
    }
    Ok(())
}

fn encode_latency(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    what: [&str; 2],
    histograms: &[Histogram; 2],
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    for (what, histogram) in what.iter().zip(histograms) {
        histogram.encode(metric.encode_family(&[("endpoint", *what)])?)?;
    }
    Ok(())
}

fn increment(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

fn method_index(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::POST => 2,
        Method::PUT => 3,
        Method::PATCH => 4,
        Method::DELETE => 5,
        _ => 6,
    }
}
