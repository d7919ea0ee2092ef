//! Refusals of `/token`: in the words of RFC 6749 and in those of the registry, since clients read either.

use berth_oci::ErrorCode;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::body::Body;
use crate::context::{RequestContext, Verdict};

mod from;

/// The answer to a request for a token that failed.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    /// The word of RFC 6749 section 5.2.
    error: &'static str,
    code: ErrorCode,
    message: String,
    header: Option<(HeaderName, HeaderValue)>,
    /// What happened inside, for the access line.
    cause: Option<String>,
    /// Why somebody was not let in, for the audit trail.
    verdict: Option<Verdict>,
}

impl Refusal {
    fn new(status: StatusCode, error: &'static str, code: ErrorCode, message: impl Into<String>) -> Self {
        Self { status, error, code, message: message.into(), header: None, cause: None, verdict: None }
    }

    fn bad(error: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error, ErrorCode::Unsupported, message)
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    fn with_challenge(self) -> Self {
        self.with(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"berth\", charset=\"UTF-8\""))
    }

    pub(super) fn off() -> Self {
        let message = "no tokens here: access.tokens.enabled is false, send Basic credentials to /v2/";
        Self::new(StatusCode::NOT_FOUND, "invalid_request", ErrorCode::Unsupported, message)
    }

    pub(super) fn method() -> Self {
        let message = "method is not supported here: use GET or POST";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", ErrorCode::Unsupported, message)
            .with(ALLOW, HeaderValue::from_static("GET, HEAD, POST"))
    }

    /// Refuses a form for what is wrong with it.
    pub(super) fn form(problem: &str) -> Self {
        Self::bad("invalid_request", format!("form {problem}"))
    }

    pub(super) fn grant() -> Self {
        Self::bad("unsupported_grant_type", "grant_type is not supported: use password or refresh_token")
    }

    pub(super) fn service(ours: &str) -> Self {
        Self::bad("invalid_request", format!("service is not this registry: ask for {ours:?}"))
    }

    /// Refuses to make another token of a token: it could hold more than the first.
    pub(super) fn narrowed() -> Self {
        let message = "a token proves nothing here: send name and password, or a refresh token";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_grant", ErrorCode::Unauthorized, message)
            .with_challenge()
    }

    /// Shapes the answer, and leaves the cause in the request's context.
    pub(super) fn into_response(self, cx: &mut RequestContext) -> Response<Body> {
        cx.error = self.cause;
        cx.verdict = self.verdict;
        let body = json!({
            "errors": [{ "code": self.code.as_str(), "message": self.message }],
            "error": self.error,
            "error_description": self.message,
        });
        let mut response = Response::new(Body::full(body.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.header);
        response
    }
}
