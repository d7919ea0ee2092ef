//! Cookies: for this host alone, out of reach for scripts, over TLS only, and not sent along when another site posts a form.

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Response};

use crate::body::Body;

/// The browser session's secret. A browser takes a cookie of such a name only if it is `Secure` and for this host alone.
pub(super) const SESSION: &str = "__Host-berth_session";
/// A login under way.
pub(super) const ATTEMPT: &str = "__Host-berth_login";

/// Finds a cookie.
pub(super) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(known, value)| (known == name).then_some(value))
}

/// Hands a cookie out, for so long; for no time takes it back.
pub(super) fn set(response: &mut Response<Body>, name: &str, value: &str, seconds: u64) {
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite=Lax");
    // Values are base64 and the like.
    if let Ok(value) = HeaderValue::try_from(text) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; __Host-berth_session=x=y; b=2"));
        headers.append(COOKIE, HeaderValue::from_static("c=3"));
        assert_eq!(find(&headers, SESSION), Some("x=y"));
        assert_eq!(find(&headers, "c"), Some("3"));
        assert_eq!(find(&headers, "berth_session"), None);
    }

    #[test]
    fn no_script_and_no_other_site_gets_at_a_cookie() {
        let mut response = Response::new(Body::empty());
        set(&mut response, SESSION, "x", 60);
        let text = response.headers()[SET_COOKIE].to_str().unwrap();
        assert_eq!(text, "__Host-berth_session=x; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax");
    }
}
