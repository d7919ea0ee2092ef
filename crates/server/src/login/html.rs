//! Pages without scripts, from other places, or of other places.

use std::fmt::Write as _;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::words::Words;
use crate::body::Body;

/// Nothing may be loaded but the style below, nothing may run, and nobody may put a page into a frame of theirs.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const STYLE: &str = "\
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, 'Noto Sans CJK SC', sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem; }
label { display: block; margin: .75rem 0; }
input { display: block; width: 100%; box-sizing: border-box; padding: .4rem; font: inherit; }
button, a.button { display: inline-block; padding: .4rem 1rem; font: inherit; margin: .25rem .5rem .25rem 0; }
a.button { border: 1px solid; border-radius: .25rem; text-decoration: none; color: inherit; }
code { overflow-wrap: anywhere; user-select: all; }
p.problem { border-left: .25rem solid #c00; padding-left: .75rem; }
li form { display: inline; }
";

/// The security headers of every answer here.
const HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    // Not less: a form would be sent without saying where from.
    (REFERRER_POLICY, "same-origin"),
    (CACHE_CONTROL, "no-store"),
];

/// Makes text safe in a page, in attributes too.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            char => safe.push(char),
        }
    }
    safe
}

/// Puts a page around `content`, which is safe.
pub(super) fn page(
    words: &Words,
    status: StatusCode,
    problem: Option<&str>,
    content: &str,
) -> Response<Body> {
    let mut text = format!(
        "<!doctype html>\n<html lang=\"{}\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <link rel=\"stylesheet\" href=\"/login/style.css\">\n<h1>{}</h1>\n",
        words.tag, words.title, words.title
    );
    if let Some(problem) = problem {
        // Writing to a text can't fail.
        let _ = writeln!(text, "<p class=\"problem\" role=\"alert\">{}</p>", escaped(problem));
    }
    text.push_str(content);
    answer(status, "text/html; charset=utf-8", text)
}

/// The style of the pages.
pub(super) fn style() -> Response<Body> {
    answer(StatusCode::OK, "text/css; charset=utf-8", STYLE)
}

/// Sends the browser on, by a GET.
pub(super) fn see_other(target: &str) -> Response<Body> {
    let mut response = answer(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", "");
    // Ours, and an issuer's address, have no other characters.
    if let Ok(target) = HeaderValue::try_from(target) {
        response.headers_mut().insert(http::header::LOCATION, target);
    }
    response
}

fn answer(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn text_stays_text() {
        assert_eq!(
            escaped(r#"<script>alert("x")</script> & 'y'"#),
            "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;y&#39;"
        );
    }
}
