//! Calls that a browser makes for a page of somebody else's.
//!
//! A browser sends its user's cookie, and Basic credentials that it remembers, with whatever any page asks it to send. It also says
//! where the page came from, which the page can't forge. So what changes something is refused when it comes from elsewhere, however
//! the caller proved who it is; and with a session's cookie it must bear a header of its own, which pages from elsewhere can't add
//! without being asked first (a CORS preflight, which Berth never answers).

use http::{HeaderMap, HeaderName, Method, Uri};

use super::problem::Problem;
use crate::address;
use crate::proxy::Forwarded;

/// What a call with a session's cookie must bear to change something; any value will do.
static X_BERTH_CSRF: HeaderName = HeaderName::from_static("x-berth-csrf");

/// Refuses a call that a page from elsewhere may have caused. `by_session` says that a cookie proved who calls.
pub(super) fn check(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    forwarded: &Forwarded,
    by_session: bool,
) -> Result<(), Problem> {
    if method.is_safe() {
        return Ok(());
    }
    if address::is_cross_site(uri, headers, forwarded) {
        let detail = "this call came from a page of another origin, which may change nothing here";
        return Err(Problem::forbidden("cross_origin", detail));
    }
    if by_session && !headers.contains_key(&X_BERTH_CSRF) {
        let detail =
            "a call with a session's cookie that changes something must bear the header X-Berth-CSRF: 1";
        return Err(Problem::forbidden("csrf", detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: &str, headers: &[(&'static str, &'static str)], by_session: bool) -> bool {
        let method = method.parse().unwrap();
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let uri = Uri::from_static("/api/v1/projects");
        check(&method, &uri, &headers, &Forwarded::default(), by_session).is_ok()
    }

    #[test]
    fn only_pages_of_the_same_origin_may_change_something() {
        let own = ("x-berth-csrf", "1");
        let host = ("host", "registry.example:5000");
        for (headers, by_session, expected) in [
            (vec![host], false, true),
            (vec![host], true, false),
            (vec![host, own], true, true),
            (vec![host, own, ("origin", "https://registry.example:5000")], true, true),
            (vec![host, own, ("origin", "https://REGISTRY.example:5000")], true, true),
            (vec![host, own, ("origin", "https://evil.example")], true, false),
            (vec![host, own, ("origin", "https://registry.example:5000.evil.example")], true, false),
            (vec![host, own, ("origin", "https://registry.example")], true, false),
            (vec![host, own, ("origin", "null")], true, false),
            (vec![own, ("origin", "https://registry.example")], true, false),
            (vec![host, ("origin", "https://evil.example")], false, false),
            (vec![host, ("sec-fetch-site", "cross-site")], false, false),
            (vec![host, ("sec-fetch-site", "same-site")], false, false),
            (vec![host, own, ("sec-fetch-site", "same-origin")], true, true),
            (vec![host, ("sec-fetch-site", "none")], false, true),
        ] {
            for method in ["POST", "PUT", "PATCH", "DELETE"] {
                assert_eq!(ask(method, &headers, by_session), expected, "{method} {headers:?} {by_session}");
            }
            assert!(ask("GET", &headers, by_session));
        }
    }
}
