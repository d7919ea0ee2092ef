//! HTTP: requests to calls, errors to responses.
//!
//! A request comes through `listen` (connections), `service` (one request to one response, with accounting in
//! `exchange`) and `router` (the table of routes) to `v2` (the distribution API), `api` (management), `audit` (searches of the trail), `token`,
//! `login` or `ops` (health, metrics). Only this crate knows HTTP; nothing below knows this crate.

mod access_log;
mod address;
mod api;
mod app;
mod audit;
mod body;
mod certificate;
mod config;
mod context;
mod exchange;
mod inbound;
mod limit;
mod listen;
mod login;
mod metrics;
mod ops;
mod overload;
mod person;
mod probe;
mod proxy;
mod record;
mod request_id;
mod router;
mod server;
mod service;
mod stranger;
mod tls;
mod token;
mod v2;

pub use access_log::{AccessLog, Format, LogWriter};
pub use app::App;
pub use config::{ClientCertificates, ClientName, Config, ConfigError, Limits, Overload, ProxyHeaders, Tls};
pub use limit::{Rate, RateLimit, RateLimits};
pub use metrics::{Point, Sample, SampleKind, Sampler};
pub use probe::{ProbeError, probe};
/// Where other rooms register what they count; see [`App::with_registry`].
pub use prometheus_client::registry::Registry as MetricsRegistry;
pub use server::Server;
pub use tls::check_tls;

/// Tells whether a path and its query name an endpoint of the distribution API: the router's parser, for fuzzing.
#[doc(hidden)]
pub fn names_an_endpoint(path: &str, query: Option<&str>) -> bool {
    v2::path::Endpoint::parse(path, query).is_ok()
}
