//! A request's span in OpenTelemetry's words (semantic conventions for HTTP server spans).

use std::borrow::Cow;

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;

use super::layer::TRACEPARENT;

/// The name the server gives to a request's span.
const REQUEST: &str = "request";
/// Other methods are the client's invention and would make a name each.
const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// Renames a request's span and its attributes: `request` with `method = "GET"` and `endpoint = "manifest"` becomes
/// `GET manifest`. Other spans stay as they are.
pub(super) fn describe(mut span: SpanData) -> SpanData {
    if span.name != REQUEST {
        return span;
    }
    span.span_kind = SpanKind::Server;
    span.name = name(&span.attributes);
    span.attributes.retain(|attribute| attribute.key.as_str() != TRACEPARENT);
    for attribute in &mut span.attributes {
        attribute.key = match attribute.key.as_str() {
            "method" => Key::from_static_str("http.request.method"),
            "path" => Key::from_static_str("url.path"),
            "status" => Key::from_static_str("http.response.status_code"),
            "endpoint" => Key::from_static_str("berth.endpoint"),
            "repository" => Key::from_static_str("berth.repository"),
            "request_id" => Key::from_static_str("berth.request_id"),
            _ => continue,
        };
        if attribute.key.as_str() == "http.response.status_code"
            && let Ok(status) = attribute.value.as_str().parse::<i64>()
        {
            attribute.value = Value::I64(status);
            if status >= 500 {
                span.status = Status::error("");
            }
        }
    }
    span
}

fn name(attributes: &[KeyValue]) -> Cow<'static, str> {
    let find = |key| attributes.iter().find(|attribute| attribute.key.as_str() == key);
    let method = find("method").map(|method| method.value.as_str());
    let method = method.filter(|method| METHODS.contains(&method.as_ref())).unwrap_or("HTTP".into());
    match find("endpoint") {
        Some(endpoint) => format!("{method} {}", endpoint.value.as_str()).into(),
        // The client left before there was an answer.
        None => method.into_owned().into(),
    }
}
