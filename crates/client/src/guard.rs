//! Where another service may lead us: not to the addresses at which machines tell their secrets, nor back to this machine.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::{is_loopback, literal, place};

/// Services for the machine itself that lie outside the link-local networks (Alibaba's, Amazon's over IPv6).
const MACHINE_V4: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
const MACHINE_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// Where plain HTTP may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// Nowhere.
    Never,
    /// To this machine, if what the operator named is on it.
    Here,
    /// Wherever the service leads.
    Anywhere,
}

/// What was named by the operator is fine, whatever it is; what a service names is looked at. It is also the resolver to give to the HTTP
/// client, so that what was looked at is what is asked.
#[derive(Debug, Clone)]
pub struct Guard {
    who: &'static str,
    host: Arc<str>,
    here: bool,
    plain_http: PlainHttp,
}

impl Guard {
    /// Guards what the service at `named` leads to; `who` is what messages call it.
    pub fn new(who: &'static str, named: &Url, plain_http: PlainHttp) -> Self {
        let host = named.host_str().unwrap_or_default().into();
        Self { who, host, here: is_loopback(named), plain_http }
    }

    /// Refuses a URL before it is asked, and says why. Hosts with a name are looked at when they are resolved.
    pub fn check(&self, url: &Url) -> Result<(), String> {
        let fine = match (url.scheme(), self.plain_http) {
            ("https", _) | ("http", PlainHttp::Anywhere) => true,
            ("http", PlainHttp::Here) => self.here && is_loopback(url),
            _ => false,
        };
        let who = self.who;
        if !fine {
            let (scheme, place) = (url.scheme(), place(url));
            return Err(format!("{who} leads to {scheme}://{place}, which is not TLS: not followed"));
        }
        match literal(url) {
            Some(address) if !self.may_reach(url.host_str().unwrap_or_default(), address) => Err(format!(
                "{who} leads to {address}, an address of this machine or its network: not followed"
            )),
            _ => Ok(()),
        }
    }

    fn may_reach(&self, host: &str, address: IpAddr) -> bool {
        host.eq_ignore_ascii_case(&self.host) || !is_private_to_machine(address.to_canonical(), self.here)
    }
}

/// Tells whether an address leads to this machine or to what only it may ask.
fn is_private_to_machine(address: IpAddr, here: bool) -> bool {
    let local = address.is_loopback() || address.is_unspecified();
    let link = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4 == MACHINE_V4,
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6 == MACHINE_V6,
    };
    link || (local && !here)
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let fine: Vec<_> = found.filter(|found| guard.may_reach(name.as_str(), found.ip())).collect();
            if fine.is_empty() {
                let reason = format!("{} has no address that may be asked", name.as_str());
                return Err(io::Error::other(reason).into());
            }
            let addresses: Addrs = Box::new(fine.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests;
