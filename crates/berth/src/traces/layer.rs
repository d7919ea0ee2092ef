//! Takes the requests' spans out of what the rooms report.

use opentelemetry::Context as Caller;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracer;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Context;
use tracing_subscriber::{Layer, Registry};

use crate::log::Beside;

/// The header, and the field of the request's span that holds it (W3C Trace Context section 3.2).
pub(super) const TRACEPARENT: &str = "traceparent";

/// Returns the layer that gives Berth's spans to `tracer`, whatever the log's level.
pub(super) fn new(tracer: SdkTracer) -> Beside {
    let spans = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false);
    let berths = filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with("berth"))
        .with_max_level_hint(LevelFilter::DEBUG);
    Spans(spans).with_filter(berths).boxed()
}

/// Gives each span its caller. A span begins when it is made and ends when it is closed: who enters it in between is not
/// followed.
struct Spans(OpenTelemetryLayer<Registry, SdkTracer>);

impl Layer<Registry> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, Registry>) {
        let mut header = Header(None);
        attributes.record(&mut header);
        // A span without a parent of its own takes the thread's context for one.
        let caller = header.0.is_some().then(|| header.caller().attach());
        self.0.on_new_span(attributes, id, context);
        drop(caller);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, Registry>) {
        self.0.on_record(id, values, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, Registry>) {
        self.0.on_close(id, context);
    }
}

/// The value of `traceparent`, if the request had one.
struct Header(Option<String>);

impl Header {
    /// Returns the client's span, or nothing if the header makes no sense.
    fn caller(&self) -> Caller {
        TraceContextPropagator::new().extract_with_context(&Caller::new(), self)
    }
}

impl Visit for Header {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == TRACEPARENT {
            self.0 = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn std::fmt::Debug) {}
}

impl Extractor for Header {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.as_deref().filter(|_| key == TRACEPARENT)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}
