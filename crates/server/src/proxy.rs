//! Proxies in front: who the client really is, and how it spelled the address.
//!
//! Nothing here is believed unless the peer's address lies in a trusted network. Proxies append what they saw, so a
//! list is read from its right end, hop by hop, until one isn't trusted: that is the client, and everything left of
//! it is what the client chose to say.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::config::{Config, ProxyHeaders};
use crate::request_id::{RequestId, X_REQUEST_ID};

mod parse;

pub(crate) use parse::host;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The address the client used, as a trusted proxy reports it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Forwarded {
    /// `http` or `https`.
    pub(crate) scheme: Option<&'static str>,
    /// Host, with its port if the client gave one.
    pub(crate) host: Option<String>,
    /// The path that the proxy cut off in front of `/v2`: begins with a slash and doesn't end with one.
    pub(crate) prefix: Option<String>,
}

/// Where a request came from.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The client's address.
    pub(crate) client: IpAddr,
    /// The address the client used.
    pub(crate) forwarded: Forwarded,
    /// The request id a proxy gave.
    pub(crate) request_id: Option<RequestId>,
}

/// The proxies whose word counts.
#[derive(Debug)]
pub(crate) struct TrustedProxies {
    networks: Vec<IpNet>,
    headers: ProxyHeaders,
}

/// What one hop says of the one before it.
#[derive(Debug, Default)]
struct Hop {
    client: Option<IpAddr>,
    scheme: Option<&'static str>,
    host: Option<String>,
}

impl TrustedProxies {
    pub(crate) fn new(config: &Config) -> Self {
        Self { networks: config.trusted_proxies.clone(), headers: config.proxy_headers }
    }

    /// Works out where a request came from that `peer` sent.
    pub(crate) fn origin(&self, peer: IpAddr, headers: &HeaderMap) -> Origin {
        // A socket on [::] reports IPv4 peers as ::ffff:a.b.c.d.
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return Origin { client: peer, forwarded: Forwarded::default(), request_id: None };
        }
        let (client, mut forwarded) = match self.headers {
            ProxyHeaders::XForwarded => self.walk(peer, &x_forwarded_hops(headers)),
            ProxyHeaders::Forwarded => self.walk(peer, &parse::forwarded_hops(headers)),
        };
        forwarded.prefix = last(headers, &X_FORWARDED_PREFIX).and_then(parse::prefix);
        let request_id = headers.get(&X_REQUEST_ID).and_then(RequestId::accept);
        Origin { client, forwarded, request_id }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Goes from the hop next to us towards the client while the reporting hop is trusted.
    fn walk(&self, peer: IpAddr, hops: &[Hop]) -> (IpAddr, Forwarded) {
        let mut client = peer;
        let mut forwarded = Forwarded::default();
        for hop in hops {
            // An inner proxy's word on scheme and host stands unless one further out says otherwise.
            forwarded.scheme = hop.scheme.or(forwarded.scheme);
            if hop.host.is_some() {
                forwarded.host.clone_from(&hop.host);
            }
            let Some(address) = hop.client else { break };
            client = address;
            if !self.trusts(address) {
                break;
            }
        }
        (client, forwarded)
    }
}

/// Reads `X-Forwarded-For`, `-Proto` and `-Host` as hops, the last one first.
///
/// Proxies that append keep the lists in step; those that overwrite leave one value, which is the last hop's.
fn x_forwarded_hops(headers: &HeaderMap) -> Vec<Hop> {
    let mut hops: Vec<Hop> = parse::elements(headers, &X_FORWARDED_FOR)
        .map(|element| Hop { client: parse::address(element), ..Hop::default() })
        .collect();
    if hops.is_empty() {
        hops.push(Hop::default());
    }
    for (hop, proto) in hops.iter_mut().zip(parse::elements(headers, &X_FORWARDED_PROTO)) {
        hop.scheme = parse::scheme(proto);
    }
    for (hop, host) in hops.iter_mut().zip(parse::elements(headers, &X_FORWARDED_HOST)) {
        hop.host = parse::host(host);
    }
    hops
}

/// The value nearest to us, when a header was sent several times.
fn last<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get_all(name).iter().next_back()?.to_str().ok()
}

#[cfg(test)]
mod bytes;
#[cfg(test)]
mod tests;
