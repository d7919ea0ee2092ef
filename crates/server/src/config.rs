//! The `http` part of the configuration.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limit::RateLimits;

/// How Berth speaks HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Addresses to listen on. Port 0 takes a free one.
    #[schemars(with = "Vec<String>")]
    pub listen: Vec<SocketAddr>,
    /// Serves HTTPS with this certificate; without it, plain HTTP.
    pub tls: Option<Tls>,
    /// Speaks HTTP/2 beside HTTP/1.1: by ALPN under TLS, by prior knowledge without.
    pub http2: bool,
    /// Networks of the proxies in front, for example `10.0.0.0/8`. Only from these are `Forwarded`, `X-Forwarded-*`
    /// and `X-Request-Id` believed.
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
    /// Which headers the trusted proxies set; they must overwrite or append to what the client sent in these.
    pub proxy_headers: ProxyHeaders,
    /// Seconds between a shutdown's request and its begin, in which `/readyz` already says no and everything else still
    /// works: for load balancers that look before they send.
    pub shutdown_delay_seconds: u64,
    /// Seconds that transfers may go on once a shutdown has begun; what is left then is cut.
    pub shutdown_grace_seconds: u64,
    /// Bounds that keep one client from taking the server from the others.
    pub limits: Limits,
    /// How often a client may begin something.
    pub rate_limits: RateLimits,
}

/// The header fields in which proxies pass on who the client is.
///
/// One family, not both: a proxy passes on unseen what a client wrote in the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeaders {
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// A certificate and its key, as PEM files. Both are read again when they change on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key of the first certificate: PKCS#8, PKCS#1 or SEC 1.
    pub key: PathBuf,
    /// The authorities whose certificates prove who a client is, as a PEM file. Without it, clients are asked for none.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
    /// Whether clients must show a certificate.
    #[serde(default)]
    pub client_certificates: ClientCertificates,
    /// What of a client's certificate is the name of the user or robot that it proves.
    #[serde(default)]
    pub client_name: ClientName,
}

impl Tls {
    /// Serves with this certificate and key, and asks clients for none.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            certificate: certificate.into(),
            key: key.into(),
            client_ca: None,
            client_certificates: ClientCertificates::default(),
            client_name: ClientName::default(),
        }
    }
}

/// Whether clients must show a certificate, where there is a `client_ca`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    /// Who shows none may log in otherwise.
    #[default]
    Optional,
    /// Who shows none gets no connection, for health checks either.
    Required,
}

/// What of a certificate is a name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClientName {
    /// The subject's common name.
    #[default]
    CommonName,
    /// The first alternative name that is an email address.
    Email,
    /// The first alternative name that is a DNS name.
    Dns,
    /// The first alternative name that is a URI, behind its last `/`.
    Uri,
}

/// Bounds that keep one client from taking the server from the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections open at once; further ones wait in the kernel's queue.
    pub connections: usize,
    /// Requests at work at once over all connections; `overload` says what becomes of further ones.
    pub requests: usize,
    /// What happens when there are too many requests.
    pub overload: Overload,
    /// Requests at once on one HTTP/2 connection.
    pub http2_streams: u32,
    /// Header fields of a request.
    pub header_count: usize,
    /// Bytes of the request line and header of a request together.
    pub header_bytes: u32,
    /// Seconds in which a TLS handshake must be done, and a request's header must have arrived.
    pub header_timeout_seconds: u64,
    /// Seconds that a transfer may stand still: a request body that brings nothing, a response that the client
    /// doesn't take.
    pub body_idle_seconds: u64,
    /// Seconds in which the whole body of a call, a form, a search or a manifest must have arrived. Those of blobs may take as long as
    /// they don't stand still.
    pub body_seconds: u64,
    /// Seconds that a connection may stay open without a request.
    pub keep_alive_seconds: u64,
    /// Tags or repositories in one page: the cap on `n`, and the page size without it.
    pub tags_page: usize,
    /// Referrers in one page.
    pub referrers_page: usize,
}

/// What happens when there are too many requests: lists are turned away first, then pushes, pulls last.
///
/// Health and metrics are always answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Overload {
    /// Blobs on their way to clients, and bodies on their way in, at once. They may be slow, so they are counted by themselves
    /// and not among `requests`.
    pub transfers: usize,
    /// Share of the places that pushes may fill, in percent; the rest is for pulls.
    pub push_percent: u8,
    /// Share of the places that lists of tags, repositories and referrers may fill, in percent.
    pub list_percent: u8,
    /// Share of what its kind of request may fill that one client address may take, in percent; it gets 429 beyond. 100 lets
    /// one take all.
    pub client_percent: u8,
    /// Requests that may wait for a place; further ones get 503 with `Retry-After` at once.
    pub queue: usize,
    /// Milliseconds that a request waits before it gets 503 with `Retry-After`.
    pub queue_milliseconds: u64,
}

impl Default for Overload {
    fn default() -> Self {
        Self {
            transfers: 16_384,
            push_percent: 80,
            list_percent: 50,
            client_percent: 50,
            queue: 1_024,
            queue_milliseconds: 500,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 5000))],
            tls: None,
            http2: true,
            trusted_proxies: Vec::new(),
            proxy_headers: ProxyHeaders::default(),
            shutdown_delay_seconds: 0,
            shutdown_grace_seconds: 30,
            limits: Limits::default(),
            rate_limits: RateLimits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            requests: 4_096,
            overload: Overload::default(),
            http2_streams: 256,
            header_count: 100,
            header_bytes: 32 * 1024,
            header_timeout_seconds: 30,
            body_idle_seconds: 60,
            body_seconds: 60,
            keep_alive_seconds: 120,
            tags_page: 1_000,
            referrers_page: 500,
        }
    }
}

/// A value that the server can't work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("http.{key} is {value}: {advice}")]
pub struct ConfigError {
    /// The key below `http`, with dots.
    pub key: &'static str,
    /// The value that was given.
    pub value: String,
    /// What to write instead.
    pub advice: &'static str,
}

impl Config {
    /// Refuses values that could never serve a request.
    pub fn check(&self) -> Result<(), ConfigError> {
        let limits = &self.limits;
        let refuse = |key, value: String, advice| Err(ConfigError { key, value, advice });
        if self.listen.is_empty() {
            return refuse("listen", "empty".into(), "name at least one address");
        }
        for (key, value) in [
            ("limits.connections", limits.connections as u64),
            ("limits.requests", limits.requests as u64),
            ("limits.overload.transfers", limits.overload.transfers as u64),
            ("limits.http2_streams", u64::from(limits.http2_streams)),
            ("limits.header_timeout_seconds", limits.header_timeout_seconds),
            ("limits.body_idle_seconds", limits.body_idle_seconds),
            ("limits.body_seconds", limits.body_seconds),
            ("limits.keep_alive_seconds", limits.keep_alive_seconds),
            ("limits.tags_page", limits.tags_page as u64),
            ("limits.referrers_page", limits.referrers_page as u64),
        ] {
            if value == 0 {
                return refuse(key, "0".into(), "use 1 or more");
            }
        }
        let overload = &limits.overload;
        for (key, percent) in [
            ("limits.overload.push_percent", overload.push_percent),
            ("limits.overload.list_percent", overload.list_percent),
            ("limits.overload.client_percent", overload.client_percent),
        ] {
            if !(1..=100).contains(&percent) {
                return refuse(key, percent.to_string(), "use 1 to 100");
            }
        }
        if overload.queue_milliseconds > 60_000 {
            let value = overload.queue_milliseconds.to_string();
            return refuse("limits.overload.queue_milliseconds", value, "use 60000 or less");
        }
        if !(4096..=1024 * 1024).contains(&limits.header_bytes) {
            return refuse("limits.header_bytes", limits.header_bytes.to_string(), "use 4096 to 1048576");
        }
        if !(16..=10_000).contains(&limits.header_count) {
            return refuse("limits.header_count", limits.header_count.to_string(), "use 16 to 10000");
        }
        self.rate_limits.problem().map_or(Ok(()), |(key, value, advice)| refuse(key, value, advice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_fit_to_serve() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn an_empty_document_is_the_default() {
        let config: Config = serde_json::from_str("{}").unwrap();
        assert_eq!(config, Config::default());
    }

    #[test]
    fn unknown_keys_are_refused() {
        let error = serde_json::from_str::<Config>(r#"{"limits": {"conections": 3}}"#).unwrap_err();
        assert!(error.to_string().contains("unknown field `conections`"), "{error}");
    }

    #[test]
    fn a_refusal_names_key_value_and_way_out() {
        let mut config = Config::default();
        config.limits.header_bytes = 10;
        assert_eq!(
            config.check().unwrap_err().to_string(),
            "http.limits.header_bytes is 10: use 4096 to 1048576"
        );
    }

    #[test]
    fn round_trips() {
        let written = serde_json::to_string(&Config::default()).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&written).unwrap(), Config::default());
    }
}
