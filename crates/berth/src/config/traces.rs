//! The `traces` part of the configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where Berth sends traces of its requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Traces {
    /// The collector, such as `http://127.0.0.1:4318`: it gets one span per request, as OTLP over plain HTTP, at
    /// `/v1/traces` below this address. Needs a binary built with `--features otlp`. Without an endpoint there are no traces.
    pub endpoint: Option<String>,
    /// The share of requests that are traced, from 0 to 1. A request with a W3C `traceparent` continues its client's
    /// trace, and is not traced when its client says that the trace is not recorded.
    pub sample_ratio: f64,
    /// The name of this server in the traces.
    pub service_name: String,
}

impl Default for Traces {
    fn default() -> Self {
        Self { endpoint: None, sample_ratio: 1.0, service_name: "berth".to_owned() }
    }
}

impl Traces {
    /// Lists what the types let through but no collector can work with.
    pub(super) fn problems(&self) -> impl Iterator<Item = String> {
        let endpoint = self.endpoint.as_deref().and_then(refuse_endpoint);
        let ratio = (!(0.0..=1.0).contains(&self.sample_ratio))
            .then(|| format!("traces.sample_ratio {}: use a number from 0 to 1", self.sample_ratio));
        let name =
            self.service_name.trim().is_empty().then(|| {
                format!("traces.service_name {:?}: use a name, such as \"berth\"", self.service_name)
            });
        [endpoint, ratio, name].into_iter().flatten()
    }
}

fn refuse_endpoint(endpoint: &str) -> Option<String> {
    // Not repeated: it holds a password.
    if endpoint.contains('@') {
        return Some(
            "traces.endpoint holds credentials: put them into the variable OTEL_EXPORTER_OTLP_HEADERS"
                .to_owned(),
        );
    }
    let authority = endpoint.strip_prefix("http://").and_then(|rest| rest.split('/').next());
    let advice = if endpoint.starts_with("https://") {
        "https is not supported; use http and a collector on this machine or in this network, which can forward"
    } else if !authority.is_some_and(is_authority) {
        "use an address such as http://127.0.0.1:4318"
    } else if endpoint.contains(['?', '#']) {
        "leave out what follows the path"
    } else if endpoint.trim_end_matches('/').ends_with("/v1/traces") {
        "leave out /v1/traces, which is added to it"
    } else if cfg!(not(feature = "otlp")) {
        "this binary was built without `--features otlp`; use one built with it, or leave the key out"
    } else {
        return None;
    };
    Some(format!("traces.endpoint {endpoint:?}: {advice}"))
}

/// Whether it is a host, with or without a port.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        // An IPv6 address without a port ends with its bracket.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
    is_port && !host.is_empty() && !host.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests;
