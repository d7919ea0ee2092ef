//! The address of a registry, as an operator writes it.

use std::net::IpAddr;

use reqwest::Url;

use crate::{Error, Result};

/// Where a registry is, and whether it may be spoken to without TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    url: Url,
    plain_http: bool,
}

impl Address {
    /// Reads an address such as `https://old.example.com`, `old.example.com:5000` or one with a path below which `/v2/` lies. TLS is left
    /// out where `plain_http` says so, or where an `http://` address is one of this machine.
    pub fn parse(text: &str, plain_http: bool) -> Result<Self> {
        // What may hold credentials is not repeated.
        let shown = if text.contains('@') { String::new() } else { format!(" {text:?}") };
        let wrong = |problem: &str| Err(Error::Settings(format!("the registry's address{shown} {problem}")));
        let scheme = if plain_http { "http" } else { "https" };
        let full = if text.contains("://") { text.to_owned() } else { format!("{scheme}://{text}") };
        let Ok(mut url) = Url::parse(&full) else {
            return wrong("is not one: write https://HOST or https://HOST:PORT");
        };
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return wrong("is not one: write https://HOST or https://HOST:PORT");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Settings(
                "the registry's address holds credentials: write them to a file instead".to_owned(),
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return wrong("has a query: leave it out");
        }
        let here = is_loopback(&url);
        if url.scheme() == "http" && !plain_http && !here {
            return wrong("would be spoken to without TLS: use https, or allow that with --plain-http");
        }
        let path = url.path().trim_end_matches('/').trim_end_matches("/v2").to_owned();
        url.set_path(&path);
        Ok(Self { plain_http: plain_http || (here && url.scheme() == "http"), url })
    }

    /// Returns host and, unless it is the usual one, port.
    pub fn place(&self) -> String {
        place(&self.url)
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn allows_plain_http(&self) -> bool {
        self.plain_http
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

/// Host and, unless it is the usual one, port.
pub(crate) fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Reads the address in a URL whose host is one.
pub(crate) fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

/// Tells whether a URL names this machine.
pub fn is_loopback(url: &Url) -> bool {
    url.host_str() == Some("localhost")
        || literal(url).is_some_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests;
