//! What else fails on the way to a token.

use berth_access::{TokenError, Unauthenticated};
use berth_oci::ErrorCode;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};

use super::Refusal;
use crate::context::Verdict;
use crate::inbound::Late;
use crate::overload::Shed;
use crate::stranger::Stranger;

impl Refusal {
    /// Refuses while nothing can be recorded.
    pub(in crate::token) fn unrecorded() -> Self {
        let message = "nothing can be recorded in the audit trail for now: try again in a moment";
        let (status, code) = (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable);
        Self::new(status, "temporarily_unavailable", code, message)
            .with(RETRY_AFTER, HeaderValue::from_static("1"))
    }
}

impl From<Unauthenticated> for Refusal {
    fn from(error: Unauthenticated) -> Self {
        let mut refusal = if error.is_busy() {
            Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                ErrorCode::Unavailable,
                error.to_string(),
            )
            .with(RETRY_AFTER, HeaderValue::from_static("1"))
        } else {
            // RFC 6749 wants 400 for a wrong password; every registry client wants 401, and says "unauthorized" for nothing else.
            Self::new(StatusCode::UNAUTHORIZED, "invalid_grant", ErrorCode::Unauthorized, error.to_string())
                .with_challenge()
        };
        refusal.verdict = Verdict::not_proved(&error);
        refusal
    }
}

impl From<Stranger> for Refusal {
    fn from(stranger: Stranger) -> Self {
        match stranger {
            Stranger::Unauthenticated(error) => error.into(),
            Stranger::Limited(limited) => {
                let seconds = limited.retry_after_seconds;
                let message = format!("{}: try again in {seconds} s", limited.class.what());
                let code = ErrorCode::TooManyRequests;
                let mut refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, "slow_down", code, message)
                    .with(RETRY_AFTER, HeaderValue::from(seconds));
                refusal.verdict = Some(Verdict::too_many_logins());
                refusal
            }
        }
    }
}

impl From<Late> for Refusal {
    fn from(late: Late) -> Self {
        let code = ErrorCode::Unsupported;
        Self::new(StatusCode::REQUEST_TIMEOUT, "invalid_request", code, late.to_string())
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        let mut refusal = if error.is_passing() {
            let message = "no token can be signed just now: try again in a few seconds";
            Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                ErrorCode::Unavailable,
                message,
            )
            .with(RETRY_AFTER, HeaderValue::from_static("1"))
        } else {
            let message =
                "the registry failed to sign a token; its log says why under the id in X-Request-Id";
            Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", ErrorCode::Unknown, message)
        };
        refusal.cause = Some(error.to_string());
        refusal
    }
}

impl From<Shed> for Refusal {
    fn from(shed: Shed) -> Self {
        let seconds = shed.retry_after_seconds;
        let (status, code) = if shed.client {
            (StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests)
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable)
        };
        Self::new(
            status,
            "temporarily_unavailable",
            code,
            format!("too many requests at once: try again in {seconds} s"),
        )
        .with(RETRY_AFTER, HeaderValue::from(seconds))
    }
}
