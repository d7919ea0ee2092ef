//! From errors to answers under `/api/v1`: RFC 9457 problems, and the only place that gives an error its status.

use axum::response::{IntoResponse, Response};
use berth_access::admin::AdminError;
use berth_access::{AccountError, Action, Denied, ManageError, Reason, Unauthenticated};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::context::Verdict;
use crate::inbound::Late;
use crate::limit::{Class, Limited};
use crate::overload::Shed;
use crate::stranger::Stranger;

/// The media type of [`Problem`].
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The answer to a call that failed.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    /// The number of what is there already.
    id: Option<i64>,
    retry_after_seconds: Option<u64>,
    /// What happened inside, for the access line.
    cause: Option<String>,
    /// Why somebody was not let in, for the audit trail.
    verdict: Option<Verdict>,
}

/// What an access line says of a call that failed inside.
#[derive(Debug, Clone)]
pub(crate) struct Cause(pub(crate) String);

/// The body of the answer. The type is left out: `about:blank`, whose meaning is the status (RFC 9457 section 4.2.1).
#[derive(Serialize)]
struct Body<'a> {
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { status, code, detail, id: None, retry_after_seconds: None, cause: None, verdict: None }
    }

    /// What is asked for isn't there, or the caller may not know that it is: one answer for both.
    pub(crate) fn not_found() -> Self {
        let detail = "nothing here, or nothing that you may see";
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// The call itself makes no sense.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", detail)
    }

    /// The call exists, for other methods; `Allow` says which.
    pub(crate) fn method() -> Self {
        let detail = "this call has other methods; Allow says which";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
    }

    /// The call's body is too large.
    pub(crate) fn too_large(most_bytes: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("send at most {most_bytes} bytes"))
    }

    pub(crate) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    pub(crate) fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail).recorded(Action::Administer)
    }

    /// Has the audit trail record that this was refused: by its code, since what the client reads may name persons.
    pub(crate) fn recorded(self, action: Action) -> Self {
        let reason = self.code.to_owned();
        Self { verdict: Some(Verdict::Denied { action, reason }), ..self }
    }

    /// Something broke that the caller can't mend.
    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        let detail = "the registry failed; its log says why under the id in X-Request-Id";
        let mut problem = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", detail);
        problem.cause = Some(cause.into());
        problem
    }

    /// What would be done could not be recorded.
    pub(super) fn unrecorded() -> Self {
        Self::unavailable("nothing is done while it can't be recorded: try again in a moment", None)
    }

    fn unavailable(detail: impl Into<String>, cause: Option<String>) -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
        (problem.retry_after_seconds, problem.cause) = (Some(1), cause);
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            id: self.id,
        };
        let text = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (self.status, text).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, MEDIA_TYPE);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"berth\", charset=\"UTF-8\"");
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(Cause(cause));
        }
        if let Some(verdict) = self.verdict {
            response.extensions_mut().insert(verdict);
        }
        response
    }
}

impl From<Unauthenticated> for Problem {
    fn from(error: Unauthenticated) -> Self {
        let text = match &error {
            Unauthenticated::SecondFactorNeeded { name, client: true } => format!(
                "{name:?} has a second factor; send a code of the authenticator in the header X-Berth-OTP, once to POST /api/v1/me/tokens \
                 for a token that is good for the next minutes"
            ),
            error => error.to_string(),
        };
        if error.is_busy() {
            return Self::unavailable(text, None);
        }
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", text.clone());
        problem.verdict = Verdict::not_proved(&error);
        problem
    }
}

impl From<Late> for Problem {
    fn from(late: Late) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "too_slow", late.to_string())
    }
}

impl From<Limited> for Problem {
    fn from(limited: Limited) -> Self {
        let seconds = limited.retry_after_seconds;
        let detail = format!("{}: try again in {seconds} s", limited.class.what());
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail);
        problem.verdict = (limited.class == Class::Login).then(Verdict::too_many_logins);
        problem.retry_after_seconds = Some(seconds);
        problem
    }
}

impl From<Shed> for Problem {
    fn from(shed: Shed) -> Self {
        let seconds = shed.retry_after_seconds;
        let (status, code) = if shed.client {
            (StatusCode::TOO_MANY_REQUESTS, "too_many_requests")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        };
        let mut problem =
            Self::new(status, code, format!("too many requests at once: try again in {seconds} s"));
        problem.retry_after_seconds = Some(seconds);
        problem
    }
}

impl From<Stranger> for Problem {
    fn from(stranger: Stranger) -> Self {
        match stranger {
            Stranger::Limited(limited) => limited.into(),
            Stranger::Unauthenticated(error) => error.into(),
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let text = denied.to_string();
        let mut problem = match denied.reason() {
            Reason::CredentialsNeeded => Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", text.clone()),
            Reason::Forbidden | Reason::OwnRights | Reason::OutOfScope => {
                Self::forbidden("forbidden", text.clone())
            }
            Reason::ReadOnly | Reason::Moved => Self::conflict("read_only", text.clone()),
            Reason::Unnamed => Self::unavailable(text.clone(), None),
        };
        problem.verdict = Some(Verdict::Denied { action: denied.action(), reason: denied.why() });
        problem
    }
}

impl From<ManageError> for Problem {
    fn from(error: ManageError) -> Self {
        use ManageError as E;
        let text = error.to_string();
        match error {
            E::Hidden => Self::not_found().recorded(Action::Read),
            E::Denied(denied) => denied.into(),
            E::LastAdministrator => Self::conflict("last_administrator", text).recorded(Action::Administer),
            E::NotByThis => Self::forbidden("application_password", text),
            E::Mightier { .. } => Self::forbidden("mightier", text),
            E::Awaited { .. } => Self::forbidden("awaited", text),
            E::OwnRobot => Self::forbidden("own_robot", text),
            E::NotOwn { .. } => Self::conflict("password_not_own", text).recorded(Action::Administer),
            E::Moved => Self::unavailable(text, None),
            E::AwaitedRole { .. } => Self::conflict("in_use", text).recorded(Action::Administer),
            E::Full { .. } => Self::conflict("full", text),
            E::Exists(_) => Self::conflict("exists", text),
            E::Bound { id } => Self { id: Some(id), ..Self::conflict("exists", text) },
            E::Invalid(_) => Self::invalid(text),
            E::Admin(error) => error.into(),
            E::Account(error) => error.into(),
            _ => Self::internal(text),
        }
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        use AccountError as E;
        let text = error.to_string();
        match error {
            E::Taken(_) => Self::conflict("exists", text),
            E::Full { .. } => Self::conflict("full", text),
            E::MustChange(_) => Self::conflict("must_change", text),
            E::ChangedMeanwhile(_) => Self::conflict("changed_meanwhile", text),
            E::Unknown { .. } => Self::not_found(),
            E::Elsewhere(_) | E::Factor(_) | E::Configured(_) => Self::conflict("not_here", text),
            E::Beyond(_) => Self::forbidden("beyond", text),
            E::Unproved(error) => error.into(),
            E::Seal(_) | E::Random(_) | E::Hash(_) | E::Broken(_) => Self::internal(text),
            E::Moved => Self::conflict("read_only", text),
            E::Busy => Self::unavailable(text, None),
            E::Catalog(_) => Self::unavailable("the catalog can't be reached: try again", Some(text)),
            _ => Self::invalid(text),
        }
    }
}

impl From<AdminError> for Problem {
    fn from(error: AdminError) -> Self {
        use AdminError as E;
        let text = told(&error);
        match error {
            E::UnknownRole(_) | E::Role { .. } | E::ProjectName(_) | E::Settings => Self::invalid(text),
            E::FixedRole(_) => Self::conflict("fixed", text),
            E::ProjectExists(_) => Self::conflict("exists", text),
            E::RoleInUse { .. } | E::ProjectInUse(_) => Self::conflict("in_use", text),
            E::UnknownProject(_) => Self::not_found(),
            E::Everybody { .. } => Self::conflict("everybody", text).recorded(Action::Administer),
            E::Duties(_) => Self::conflict("separation_of_duties", text).recorded(Action::Administer),
            E::Catalog(error) => error.into(),
            _ => Self::internal(text),
        }
    }
}

/// What to do about an error, by calls: by itself it names commands, which are for whoever sits at the machine.
fn told(error: &AdminError) -> String {
    match error {
        AdminError::UnknownRole(role) => {
            format!("there is no role {role:?}; GET /api/v1/roles lists those that there are")
        }
        AdminError::RoleInUse { role, subject } => format!(
            "role {role:?} is bound to {subject}; take it away first: GET /api/v1/bindings?role={role}&project=* lists all who hold it"
        ),
        AdminError::ProjectExists(name) => {
            format!("project {name:?} exists already; PATCH /api/v1/projects/{name} changes it")
        }
        other => other.to_string(),
    }
}

impl From<berth_catalog::Error> for Problem {
    fn from(error: berth_catalog::Error) -> Self {
        use berth_catalog::Error as E;
        match error {
            E::Busy | E::Unavailable(_) | E::Crowded(_) | E::Unknown => {
                Self::unavailable("the catalog can't be reached: try again", Some(error.to_string()))
            }
            E::Moved => Self::conflict("read_only", error.to_string()),
            error => Self::internal(error.to_string()),
        }
    }
}
