//! The address that a client called: the host that it named, and whether a page of that host made a browser call.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, Uri};

use crate::app::App;
use crate::context::RequestContext;
use crate::proxy::{self, Forwarded};

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Returns the host that the client called, with its port if it gave one; `None` if it names none that can be one.
pub(crate) fn host(uri: &Uri, headers: &HeaderMap, forwarded: &Forwarded) -> Option<String> {
    if let Some(host) = &forwarded.host {
        return Some(host.clone());
    }
    // HTTP/2 names it in the target (RFC 9113 section 8.3.1), and so may HTTP/1.1, where that goes before the field.
    if let Some(authority) = uri.authority() {
        return proxy::host(authority.as_str());
    }
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().filter(|_| hosts.next().is_none())?;
    proxy::host(host.to_str().ok()?)
}

/// Returns scheme, host and what a proxy cut off in front of the path, so that the client can be sent to another path of it.
pub(crate) fn base(app: &App, cx: &RequestContext, headers: &HeaderMap) -> Option<String> {
    let ours = if app.config.tls.is_some() { "https" } else { "http" };
    let scheme = cx.forwarded.scheme.unwrap_or(ours);
    let host = host(&cx.uri, headers, &cx.forwarded)?;
    let prefix = cx.forwarded.prefix.as_deref().unwrap_or_default();
    Some(format!("{scheme}://{host}{prefix}"))
}

/// Tells whether a browser says that a page from elsewhere made it send a request. What says so is the browser's alone: pages can't
/// change it. A client that says nothing is no browser.
pub(crate) fn is_cross_site(uri: &Uri, headers: &HeaderMap, forwarded: &Forwarded) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    // It knows which pages are of one origin, whatever proxies made of the host. `none` is the user's own doing: an address typed in.
    if let Some(site) = text(&SEC_FETCH_SITE) {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(&ORIGIN) else { return false };
    let named = origin.split_once("://").map(|(_scheme, authority)| authority);
    let called = host(uri, headers, forwarded);
    !named.zip(called).is_some_and(|(named, called)| named.eq_ignore_ascii_case(&called))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn the_host_is_the_one_that_the_client_named() {
        let forwarded = Forwarded { host: Some("out.example".into()), ..Forwarded::default() };
        for (uri, pairs, forwarded, expected) in [
            ("/", &[("host", "a.example:5000")][..], Forwarded::default(), Some("a.example:5000")),
            ("http://b.example/", &[("host", "a.example")], Forwarded::default(), Some("b.example")),
            ("/", &[("host", "a.example")], forwarded, Some("out.example")),
            ("/", &[], Forwarded::default(), None),
            ("/", &[("host", "a.example"), ("host", "b.example")], Forwarded::default(), None),
            ("/", &[("host", "a.example/\"x")], Forwarded::default(), None),
        ] {
            let found = host(&Uri::from_static(uri), &headers(pairs), &forwarded);
            assert_eq!(found.as_deref(), expected, "{uri} {pairs:?}");
        }
    }

    #[test]
    fn another_site_is_known() {
        let host = ("host", "registry.example:5000");
        for (pairs, expected) in [
            (&[host][..], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "cross-site"), host], true),
            (&[("sec-fetch-site", "same-site"), host], true),
            // Behind a proxy that does not say which host was called.
            (&[("sec-fetch-site", "same-origin"), ("origin", "https://out.example"), host], false),
            (&[("origin", "https://registry.example:5000"), host], false),
            (&[("origin", "https://REGISTRY.example:5000"), host], false),
            (&[("origin", "https://evil.example"), host], true),
            (&[("origin", "https://registry.example:5000.evil.example"), host], true),
            (&[("origin", "https://registry.example"), host], true),
            (&[("origin", "null"), host], true),
            (&[("origin", "https://registry.example")], true),
        ] {
            let found = is_cross_site(&Uri::from_static("/login"), &headers(pairs), &Forwarded::default());
            assert_eq!(found, expected, "{pairs:?}");
        }
    }

    #[test]
    fn behind_a_proxy_its_word_on_the_host_counts() {
        let headers = headers(&[("host", "127.0.0.1:5000"), ("origin", "https://registry.example")]);
        let forwarded = Forwarded { host: Some("registry.example".into()), ..Forwarded::default() };
        assert!(!is_cross_site(&Uri::from_static("/"), &headers, &forwarded));
        assert!(is_cross_site(&Uri::from_static("/"), &headers, &Forwarded::default()));
    }
}
