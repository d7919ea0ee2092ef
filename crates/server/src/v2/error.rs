//! From errors to answers: the only place that gives an error its code and status.
//!
//! Every message says what to do. Internal causes go to the access line, never to the client.

use berth_access::{Denied, Reason, Unauthenticated};
use berth_oci::{ErrorBody, ErrorCode, ErrorItem};
use berth_registry::BodyError;
use http::header::{ALLOW, CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use serde_json::json;

use super::header;
use super::path::PathError;
use crate::body::Body;
use crate::context::{RequestContext, Verdict};
use crate::inbound::Late;
use crate::limit::Limited;
use crate::overload::Shed;
use crate::stranger::Stranger;
use crate::token::Fault;

mod registry;

/// The answer to a request that failed.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    errors: Vec<ErrorItem>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// What was wrong with the credentials, if others would help.
    fault: Option<Fault>,
    /// What happened inside, for the access line.
    cause: Option<String>,
    /// Why somebody was not let in, for the audit trail.
    verdict: Option<Verdict>,
}

impl Refusal {
    fn new(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Self {
        Self::of(status, ErrorItem::new(code, message))
    }

    fn of(status: StatusCode, error: ErrorItem) -> Self {
        Self { status, errors: vec![error], headers: Vec::new(), fault: None, cause: None, verdict: None }
    }

    /// Adds header fields to the answer.
    pub(super) fn with_headers(
        mut self,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
    ) -> Self {
        self.headers.extend(headers);
        self
    }

    /// Refuses while nothing can be recorded.
    pub(super) fn unrecorded() -> Self {
        let message = "nothing can be recorded in the audit trail for now: try again in a moment";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, message).with_retry()
    }

    /// Asks to come again in a moment.
    fn with_retry(mut self) -> Self {
        self.headers.push((RETRY_AFTER, HeaderValue::from_static("1")));
        self
    }

    fn with_challenge(self, fault: Fault) -> Self {
        Self { fault: Some(fault), ..self }
    }

    /// What the answer's challenge has to say; `None` if there is none in it.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Names the path of an endpoint that doesn't exist, or what in it is against a grammar.
    pub(super) fn path(error: PathError, method: &Method) -> Self {
        match error {
            PathError::NoEndpoint => Self::new(
                StatusCode::NOT_FOUND,
                ErrorCode::Unsupported,
                "no endpoint at this path: below /v2/ there are _catalog, and <name>/ with tags/list, \
                 manifests/<reference>, blobs/<digest>, blobs/uploads/ and referrers/<digest>",
            ),
            PathError::Name(message) => Self::new(StatusCode::BAD_REQUEST, ErrorCode::NameInvalid, message),
            // What can't exist isn't there; only a push can be told to choose another tag.
            PathError::Tag(message) if *method == Method::PUT => {
                Self::new(StatusCode::BAD_REQUEST, ErrorCode::ManifestInvalid, message)
            }
            PathError::Tag(message) => Self::new(
                StatusCode::NOT_FOUND,
                ErrorCode::ManifestUnknown,
                format!("manifest not known: {message}"),
            ),
            PathError::Digest(message) => Self::digest(message),
            PathError::UploadId => Self::new(
                StatusCode::NOT_FOUND,
                ErrorCode::BlobUploadUnknown,
                "upload is not known: use the Location that started it, or start a new one",
            ),
            PathError::Parameter(key, advice) => Self::new(
                StatusCode::BAD_REQUEST,
                ErrorCode::Unsupported,
                format!("parameter {key} is invalid: {advice}"),
            ),
        }
    }

    /// Refuses a digest that is missing or malformed.
    pub(super) fn digest(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::DigestInvalid, message)
    }

    /// Refuses a method that the endpoint doesn't have (RFC 9110 section 15.5.6).
    pub(super) fn method(method: &Method, allow: &'static str) -> Self {
        let message = format!("method {method} is not supported here: use {allow}");
        let mut refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported, message);
        refusal.headers.push((ALLOW, HeaderValue::from_static(allow)));
        refusal
    }

    /// Refuses what changes something while the registry is read-only, as Docker's registry does (RFC 9110 section 15.5.6).
    fn read_only(message: String) -> Self {
        let mut refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported, message);
        refusal.headers.push((ALLOW, HeaderValue::from_static("GET, HEAD")));
        refusal
    }

    /// Asks an anonymous caller, who may do nothing at all, to log in.
    pub(super) fn login_needed(has_users: bool) -> Self {
        if has_users {
            Self::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, "credentials needed: log in")
                .with_challenge(Fault::None)
        } else {
            let message = "anonymous callers may do nothing here: ask the administrator to add users";
            Self::new(StatusCode::FORBIDDEN, ErrorCode::Denied, message)
        }
    }

    /// Refuses a manifest of more than `limit` bytes.
    pub(super) fn manifest_too_large(limit: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        berth_registry::Error::ManifestTooLarge { limit }.into()
    }

    /// Refuses a header field whose value means nothing for a manifest's push.
    pub(super) fn content_type() -> Self {
        let message = "Content-Type is not text: send the manifest's media type";
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::ManifestInvalid, message)
    }

    /// Refuses a chunk whose position is malformed.
    pub(super) fn content_range(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::BlobUploadInvalid, message)
    }

    /// Answers a `Range` that lies outside the blob (RFC 9110 section 15.5.17).
    pub(super) fn range(size: u64) -> Self {
        let message = format!("range is outside the blob: ask for bytes below {size}");
        let error = ErrorItem::new(ErrorCode::SizeInvalid, message).with_detail(json!({ "size": size }));
        let mut refusal = Self::of(StatusCode::RANGE_NOT_SATISFIABLE, error);
        refusal.headers.push((CONTENT_RANGE, header::value(format_args!("bytes */{size}"))));
        refusal
    }

    /// Shapes the answer, and leaves the cause in the request's context.
    pub(super) fn into_response(
        self,
        cx: &mut RequestContext,
        challenge: Option<HeaderValue>,
    ) -> Response<Body> {
        cx.error = self.cause;
        cx.verdict = self.verdict;
        let body = serde_json::to_vec(&ErrorBody { errors: self.errors }).unwrap_or_default();
        let mut response = Response::new(Body::full(body));
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers);
        response.headers_mut().extend(challenge.map(|challenge| (WWW_AUTHENTICATE, challenge)));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

impl From<Unauthenticated> for Refusal {
    fn from(error: Unauthenticated) -> Self {
        let mut refusal = if error.is_busy() {
            Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, error.to_string()).with_retry()
        } else {
            let fault = if error.is_token() { Fault::InvalidToken } else { Fault::None };
            Self::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, error.to_string())
                .with_challenge(fault)
        };
        refusal.verdict = Verdict::not_proved(&error);
        refusal
    }
}

/// A manifest's body that took too long.
impl From<Late> for Refusal {
    fn from(late: Late) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, ErrorCode::ManifestInvalid, late.to_string())
    }
}

impl From<Shed> for Refusal {
    fn from(shed: Shed) -> Self {
        let seconds = shed.retry_after_seconds;
        let (status, code, what) = if shed.client {
            let what = "too many requests at once from one address";
            (StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests, what)
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, "too many requests at once")
        };
        let mut refusal = Self::new(status, code, format!("{what}: try again in {seconds} s"));
        refusal.headers.push((RETRY_AFTER, HeaderValue::from(seconds)));
        refusal
    }
}

impl From<Limited> for Refusal {
    fn from(limited: Limited) -> Self {
        let seconds = limited.retry_after_seconds;
        let message = format!("{}: try again in {seconds} s", limited.class.what());
        let mut refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests, message);
        refusal.headers.push((RETRY_AFTER, HeaderValue::from(seconds)));
        refusal
    }
}

impl From<Stranger> for Refusal {
    fn from(stranger: Stranger) -> Self {
        match stranger {
            Stranger::Limited(limited) => {
                let mut refusal = Self::from(limited);
                refusal.verdict = Some(Verdict::too_many_logins());
                refusal
            }
            Stranger::Unauthenticated(error) => error.into(),
        }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        let verdict = Verdict::Denied { action: denied.action(), reason: denied.why() };
        let mut refusal = match denied.reason() {
            Reason::CredentialsNeeded => {
                Self::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, denied.to_string())
                    .with_challenge(Fault::None)
            }
            Reason::OutOfScope => {
                Self::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, denied.to_string())
                    .with_challenge(Fault::InsufficientScope)
            }
            Reason::Forbidden | Reason::OwnRights => {
                Self::new(StatusCode::FORBIDDEN, ErrorCode::Denied, denied.to_string())
            }
            Reason::ReadOnly | Reason::Moved => Self::read_only(denied.to_string()),
            Reason::Unnamed => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, denied.to_string())
                    .with_retry()
            }
        };
        refusal.verdict = Some(verdict);
        refusal
    }
}

/// A manifest's body that broke off; a blob's comes through the registry.
impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::ManifestInvalid, format!("{error}: push it again"))
    }
}

#[cfg(test)]
mod tests;
