//! Answers and refusals, as clients of Elasticsearch read them.

use berth_access::{Denied, Reason, Unauthenticated};
use berth_audit::search::Error;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::body::Body;
use crate::context::{RequestContext, Verdict};
use crate::inbound::Late;
use crate::limit::Limited;
use crate::overload::Shed;
use crate::stranger::Stranger;

/// What the official clients want to see before they believe any answer.
const X_ELASTIC_PRODUCT: HeaderName = HeaderName::from_static("x-elastic-product");
/// The version whose clients are meant.
const VERSION: &str = "8.17.0";

/// A request that is not answered.
#[derive(Debug)]
pub(super) struct Refusal {
    error: Error,
    header: Option<(HeaderName, HeaderValue)>,
    /// What happened inside, for the access line.
    cause: Option<String>,
    /// Why somebody was not let in, for the audit trail.
    verdict: Option<Verdict>,
}

impl Refusal {
    fn new(kind: &'static str, status: u16, reason: impl Into<String>) -> Self {
        Error { kind, reason: reason.into(), status }.into()
    }

    pub(super) fn no_handler(method: &Method, path: &str) -> Self {
        Self::new(
            "illegal_argument_exception",
            400,
            format!("no handler found for uri [{path}] and method [{method}]"),
        )
    }

    /// The trail is not kept here.
    pub(super) fn off() -> Self {
        Self::new("index_not_found_exception", 404, "this registry keeps no audit trail")
    }

    /// What is read here is recorded, too.
    pub(super) fn unrecorded() -> Self {
        let reason = "nothing can be recorded in the audit trail for now: try again in a moment";
        let mut refusal = Self::new("unavailable_exception", 503, reason);
        refusal.header = Some((RETRY_AFTER, HeaderValue::from_static("1")));
        refusal
    }

    pub(super) fn json(error: &serde_json::Error) -> Self {
        Self::new("parsing_exception", 400, format!("the body is not JSON: {error}"))
    }

    pub(super) fn content_type(kind: &str) -> Self {
        Self::new(
            "media_type_header_exception",
            406,
            format!("Content-Type header [{kind}] is not supported: send application/json"),
        )
    }

    pub(super) fn body(error: &str, limit: usize) -> Self {
        if error.contains("length limit") {
            return Self::new(
                "content_too_long_exception",
                413,
                format!("the body is longer than {limit} bytes"),
            );
        }
        Self::new("parsing_exception", 400, format!("the body broke off: {error}"))
    }

    pub(super) fn into_response(self, cx: &mut RequestContext, head: &Parts) -> Response<Body> {
        if let Some(cause) = self.cause {
            cx.error = Some(cause);
        }
        cx.verdict = self.verdict;
        let mut response = ok(&self.error.to_json(), head);
        *response.status_mut() =
            StatusCode::from_u16(self.error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().extend(self.header);
        response
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let header = (error.status == 429).then(|| (RETRY_AFTER, HeaderValue::from_static("5")));
        Self { error, header, cause: None, verdict: None }
    }
}

impl From<Shed> for Refusal {
    fn from(shed: Shed) -> Self {
        let mut refusal = Self::from(Error::busy());
        refusal.header = Some((RETRY_AFTER, HeaderValue::from(shed.retry_after_seconds)));
        refusal
    }
}

impl From<Unauthenticated> for Refusal {
    fn from(error: Unauthenticated) -> Self {
        if error.is_busy() {
            return Self::from(Error::busy());
        }
        let mut refusal = Self::new("security_exception", 401, error.to_string());
        refusal.header = Some(challenge());
        refusal.verdict = Verdict::not_proved(&error);
        refusal
    }
}

impl From<Stranger> for Refusal {
    fn from(stranger: Stranger) -> Self {
        match stranger {
            Stranger::Unauthenticated(error) => error.into(),
            Stranger::Limited(limited) => {
                let mut refusal = Self::from(limited);
                refusal.verdict = Some(Verdict::too_many_logins());
                refusal
            }
        }
    }
}

impl From<Late> for Refusal {
    fn from(late: Late) -> Self {
        Self::new("timeout_exception", 408, late.to_string())
    }
}

impl From<Limited> for Refusal {
    fn from(limited: Limited) -> Self {
        let mut refusal = Self::from(Error::busy());
        refusal.header = Some((RETRY_AFTER, HeaderValue::from(limited.retry_after_seconds)));
        refusal
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        let is_stranger = denied.reason() == Reason::CredentialsNeeded;
        let mut refusal =
            Self::new("security_exception", if is_stranger { 401 } else { 403 }, denied.to_string());
        refusal.header = is_stranger.then(challenge);
        refusal.verdict = Some(Verdict::Denied { action: denied.action(), reason: denied.why() });
        refusal
    }
}

fn challenge() -> (HeaderName, HeaderValue) {
    (WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"berth\", charset=\"UTF-8\""))
}

/// Makes a response of what is found. Null has no content.
pub(super) fn ok(value: &Value, head: &Parts) -> Response<Body> {
    let text = if value.is_null() { String::new() } else { value.to_string() };
    let mut response = Response::new(Body::full(Bytes::from(text)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type(head));
    headers.insert(X_ELASTIC_PRODUCT, HeaderValue::from_static("Elasticsearch"));
    response
}

/// Answers in the media type that clients since version 8 ask for, or in plain JSON.
fn content_type(head: &Parts) -> HeaderValue {
    let accept = head.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    HeaderValue::from_static(match accept.split_once("application/vnd.elasticsearch+json") {
        Some((_, rest)) if rest.contains('9') => "application/vnd.elasticsearch+json;compatible-with=9",
        Some((_, rest)) if rest.contains('7') => "application/vnd.elasticsearch+json;compatible-with=7",
        Some(_) => "application/vnd.elasticsearch+json;compatible-with=8",
        None => "application/json",
    })
}

/// Whether a media type is JSON.
pub(super) fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind == "application/json" || kind == "application/vnd.elasticsearch+json"
}

/// Tells whether a body is lines of JSON.
pub(super) fn is_lines(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind == "application/x-ndjson" || kind == "application/vnd.elasticsearch+x-ndjson"
}

/// Says what this is.
pub(super) fn info() -> Value {
    json!({
        "name": "berth",
        "cluster_name": "berth",
        "cluster_uuid": "berth-audit",
        "version": {
            "number": VERSION,
            "build_flavor": "default",
            "build_type": "berth",
            "build_hash": env!("CARGO_PKG_VERSION"),
            "build_snapshot": false,
            "lucene_version": "9.12.0",
            "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0",
        },
        // Clients of version 7 look for it.
        "tagline": "You Know, for Search",
    })
}
