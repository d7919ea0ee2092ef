//! The address that the client used, so that it can be sent to another path of it.

use http::HeaderMap;
use http::header::HOST;

use crate::app::App;
use crate::context::RequestContext;
use crate::proxy;

/// Returns scheme, host and what a proxy cut off in front of the path; `None` if the request names no host that can be one.
pub(super) fn of(app: &App, cx: &RequestContext, headers: &HeaderMap) -> Option<String> {
    let forwarded = &cx.forwarded;
    let ours = if app.config.tls.is_some() { "https" } else { "http" };
    let scheme = forwarded.scheme.unwrap_or(ours);
    let host = match &forwarded.host {
        Some(host) => host.clone(),
        // HTTP/2 names it in the target (RFC 9113 section 8.3.1), and so may HTTP/1.1, where that goes before the field.
        None => {
            if let Some(authority) = cx.uri.authority() {
                proxy::host(authority.as_str())?
            } else {
                let mut hosts = headers.get_all(HOST).iter();
                let host = hosts.next().filter(|_| hosts.next().is_none())?;
                proxy::host(host.to_str().ok()?)?
            }
        }
    };
    let prefix = forwarded.prefix.as_deref().unwrap_or_default();
    Some(format!("{scheme}://{host}{prefix}"))
}
